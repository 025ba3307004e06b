"""Files of weights: safetensors and PyTorch's pickles, of which only tensors are read, never code."""

from __future__ import annotations

import re
import warnings
import zipfile
from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.document import no_file

SAFETENSORS = ".safetensors"
PICKLES = (".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = (  # keys under which training scripts put the weights
    "state_dict",
    "model_state_dict",
    "model",
    "net",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
)
MOST_WRAPPERS = 8  # within each other
PREFIXES = ("module.", "_orig_mod.")  # of parallel training and of torch.compile

PLAIN = re.compile(r"B?F(64|32|16)|F8_E(4M3|5M2)|[IU]\d+|BOOL")  # numbers in safetensors that torch can make weights of

Shape = tuple[int, ...]


class WeightsFile(ABC):
    """Weights by key, their shapes known before one of them is read.

    `name` is what a person knows the file by. `found_in` are the keys of the wrappers that they stand in, `prefix` is
    what all keys began with; both are gone from the keys. `expects` are params that the network should have.
    """

    in_order = False  # whether the keys stand in the order of the modules that they were saved from
    found_in: tuple[str, ...] = ()

    def __init__(self, path: Path, name: str, keys: Iterable[str]) -> None:
        self.path, self.name = path, name
        self.expects: dict[str, object] = {}
        keys = list(keys)
        if not keys:
            raise refusal(f"there are no weights in {name}")
        self.prefix = _common_prefix(keys)

    @property
    @abstractmethod
    def shapes(self) -> dict[str, Shape]:
        """The shape of every weight."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """Every weight. Raises SpecError (E704) where they cannot be read."""

    def _bare(self, key: str) -> str:
        return key.removeprefix(self.prefix)


class Safetensors(WeightsFile):
    """A safetensors file: its head has the shapes."""

    def __init__(self, path: Path, name: str) -> None:
        self._shapes: dict[str, Shape] = {}
        with safe_open(path, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                tensor = file.get_slice(key)
                if not PLAIN.fullmatch(tensor.get_dtype()):
                    raise _no_plain_numbers(key, name)
                self._shapes[key] = tuple(tensor.get_shape())
        super().__init__(path, name, self._shapes)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every weight."""
        return {self._bare(key): shape for key, shape in self._shapes.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Every weight."""
        try:
            return {self._bare(key): each for key, each in load_file(self.path).items()}
        except (OSError, ValueError, SafetensorError) as error:
            raise refusal(f"cannot read {self.name}: {error}") from None


class Pickle(WeightsFile):
    """A pickle of PyTorch, which is mapped into memory where its format allows it and read as it is asked for."""

    in_order = True

    def __init__(self, path: Path, name: str) -> None:
        inner, self.found_in = _unwrapped(_unpickled(path, name))
        self._tensors = {str(key): each for key, each in inner.items() if isinstance(each, Tensor)}
        super().__init__(path, name, self._tensors)
        for key, each in self._tensors.items():
            if each.layout is not torch.strided or each.is_meta or each.is_quantized or each.is_complex():
                raise _no_plain_numbers(key, name)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shape of every weight."""
        return {self._bare(key): tuple(each.shape) for key, each in self._tensors.items()}

    def tensors(self) -> dict[str, Tensor]:
        """Every weight."""
        return {self._bare(key): each for key, each in self._tensors.items()}


def read_weights(path: str | Path, name: str | None = None) -> WeightsFile:
    """A file of weights, opened. Raises SpecError (E704) where it is none."""
    path = Path(path)
    name = name or str(path)
    ending = path.suffix.lower()
    if trained := next(
        (each for each in (path / "best.safetensors", path / "last.safetensors") if each.is_file()), None
    ):
        raise refusal(f"cannot read {name}: it is the folder of a run", f"its weights are {trained}")
    if ending != SAFETENSORS and ending not in PICKLES:
        raise refusal(
            f"cannot tell what {name} is",
            f"a file of weights ends in {SAFETENSORS}, {', '.join(PICKLES[:-1])} or {PICKLES[-1]}",
        )
    try:
        if what := no_file(path.stat()):
            raise refusal(f"cannot read {name}: it is {what}")
        return Safetensors(path, name) if ending == SAFETENSORS else Pickle(path, name)
    except FileNotFoundError:
        raise refusal(f"there is no file {name}") from None
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise refusal(f"cannot read {name}: {reason}") from None


def refusal(message: str, help: str | None = None) -> SpecError:
    """A file of weights cannot be used."""
    return SpecError([Diagnostic("E704", message, help=help)])


def _no_plain_numbers(key: str, name: str) -> SpecError:
    return refusal(f"{key} in {name} is no tensor of plain numbers, and no weight")


def _unpickled(path: Path, name: str) -> Any:
    """What a pickle holds, made without running code. Raises SpecError (E704)."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of forms that torch reads all the same
            return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
    except EOFError:
        raise refusal(f"cannot read {name}: it ends too early") from None
    except (OSError, RuntimeError, ValueError):
        raise
    except Exception:  # UnpicklingError; and what is no pickle at all fails in any way there is
        message = f"{name} holds more than tensors, or is damaged; it was not read"
        raise refusal(message, "ask for the weights alone: torch.save(model.state_dict(), file)") from None


def _unwrapped(content: Any) -> tuple[Mapping[Any, Any], tuple[str, ...]]:
    """The weights of a checkpoint, and the keys of the wrappers around them."""
    found_in: tuple[str, ...] = ()
    while isinstance(content, Mapping) and len(found_in) < MOST_WRAPPERS:  # it may hold itself
        wrapper = next((key for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if wrapper is None:
            return content, found_in
        content, found_in = content[wrapper], (*found_in, wrapper)
    return {}, found_in


def _common_prefix(keys: list[str]) -> str:
    """What all keys begin with, of the prefixes that are nobody's name."""
    prefix = ""
    while True:
        more = next((each for each in PREFIXES if all(key.startswith(prefix + each) for key in keys)), None)
        if more is None:
            return prefix
        prefix += more
