"""Weights files: safetensors and PyTorch's pickles, which are read without executing code."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable
from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file
from torch import Tensor

from cnngraph import run_files
from cnngraph.atomic_files import readable
from cnngraph.backend.weights.checksum import checksum_fits
from cnngraph.backend.weights.pickles import not_plain, unpickled, unwrapped
from cnngraph.diagnostics import SpecError
from cnngraph.document import no_file

SAFETENSORS = ".safetensors"
PREFIXES = ("module.", "_orig_mod.")  # of parallel training and of torch.compile
BOOKKEEPING = ("n_averaged", "total_ops", "total_params")  # counters of torch's AveragedModel and of thop, not weights
OTHER_FORMATS = {  # the first bytes of files that are mistaken for weights
    b"\x89HDF": "an HDF5 file, as written by Keras",
    b"GGUF": "a GGUF file",
    b"\x08": "an ONNX file",
    b"\x1f\x8b": "a gzip archive (unpack it first)",
    b"\x93NUMPY": "a NumPy array",
    b"version https://git-lfs": "a Git LFS pointer (fetch the file with `git lfs pull`)",
    b"<": "a web page or XML, so the download probably failed",
    b"{": "JSON",
}

PLAIN = re.compile(r"B?F(64|32|16)|F8_E(4M3|5M2)|[IU]\d+|BOOL")  # dtypes in safetensors that can be weights in torch

TEXT = frozenset(bytes(range(32, 127)) + b"\t\n\r")
PYTORCH = (b"PK\x03\x04", b"\x80")  # the first bytes of files of torch.save: a zip archive, or a pickle
MAX_HEADER = 100_000_000  # bytes, the limit of safetensors itself

Shape = tuple[int, ...]


class WeightsFile(ABC):
    """Weights by key, whose shapes are known before any weight is read.

    `name` is the name of the file in messages. `found_in` are the keys of the wrappers that contain the weights, and
    `prefix` is a prefix that all keys had; the keys have neither. `expects` are params that the network should have.
    """

    in_order = False  # whether the keys are in the order of the modules that they were saved from
    found_in: tuple[str, ...] = ()

    def __init__(self, path: Path, name: str, keys: Iterable[str]) -> None:
        self.path, self.name = path, name
        self.expects: dict[str, object] = {}
        keys = list(keys)
        if not keys:
            raise SpecError.of("E704", f"{name} contains no weights")
        self.prefix = _common_prefix([key for key in keys if not is_bookkeeping(key)] or keys)

    @property
    @abstractmethod
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all weights."""

    @abstractmethod
    def tensors(self) -> dict[str, Tensor]:
        """All weights. Raises SpecError (E704) if they cannot be read."""

    def _bare(self, key: str) -> str:
        return key.removeprefix(self.prefix)


class Safetensors(WeightsFile):
    """A safetensors file, which has the shapes in its header."""

    def __init__(self, path: Path, name: str) -> None:
        self._shapes: dict[str, Shape] = {}
        with readable(path) as plain, safe_open(plain, framework="pt") as file:
            for key in file.keys():  # noqa: SIM118
                tensor = file.get_slice(key)
                if not PLAIN.fullmatch(tensor.get_dtype()):
                    raise _no_weight(key, name, f"a tensor of {tensor.get_dtype()}")
                self._shapes[key] = tuple(tensor.get_shape())
        super().__init__(path, name, self._shapes)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all weights."""
        return {self._bare(key): shape for key, shape in self._shapes.items()}

    def tensors(self) -> dict[str, Tensor]:
        """All weights."""
        try:
            if checksum_fits(self.path) is False:  # cnngraph writes one into every file, other tools do not
                raise SpecError.of("E704", f"{self.name} is damaged: its content does not match its checksum")
            with readable(self.path) as plain:
                return {self._bare(key): tensor for key, tensor in load_file(plain).items()}
        except (OSError, ValueError, SafetensorError) as error:
            raise SpecError.of("E704", f"cannot read {self.name}: {error}") from None


class Pickle(WeightsFile):
    """A pickle of PyTorch, which is memory-mapped and read on demand if its format permits."""

    in_order = True

    def __init__(self, path: Path, name: str) -> None:
        self._tensors, self.found_in = unwrapped(unpickled(path, name), name)
        super().__init__(path, name, self._tensors)
        for key, tensor in self._tensors.items():
            if what := not_plain(tensor):
                raise _no_weight(key, name, what)

    @property
    def shapes(self) -> dict[str, Shape]:
        """The shapes of all weights."""
        return {self._bare(key): tuple(tensor.shape) for key, tensor in self._tensors.items()}

    def tensors(self) -> dict[str, Tensor]:
        """All weights."""
        return {self._bare(key): tensor for key, tensor in self._tensors.items()}


def read_weights(path: str | Path, name: str | None = None) -> WeightsFile:
    """Open a weights file. Raises SpecError (E704) if it is not one."""
    path = Path(path)
    name = name or str(path)
    if trained := next(
        (file for name in (run_files.BEST, run_files.LAST) if (file := run_files.weights_file(path, name)).is_file()),
        None,
    ):
        raise SpecError.of(
            "E704", f"cannot read {name}: it is the folder of a run", help=f"its weights are in {trained}"
        )
    try:
        if what := no_file(path.stat()):
            raise SpecError.of("E704", f"cannot read {name}: it is {what}")
        return Safetensors(path, name) if _is_safetensors(path, name) else Pickle(path, name)
    except FileNotFoundError:
        raise SpecError.of("E704", f"cannot read {name}: file not found") from None
    except (OSError, RuntimeError, ValueError, SafetensorError) as error:
        reason = getattr(error, "strerror", None) or (str(error).strip() or type(error).__name__).splitlines()[0]
        raise SpecError.of("E704", f"cannot read {name}: {reason}") from None


def is_bookkeeping(key: str) -> bool:
    """Whether a key is a counter that a tool stored among the weights."""
    return key.rpartition(".")[2] in BOOKKEEPING


def _is_safetensors(path: Path, name: str) -> bool:
    """Whether a file is a safetensors file, by its content. Raises SpecError (E704) for files of other formats."""
    with path.open("rb") as file:
        start = file.read(32)
    if start[8:9] == b"{" and int.from_bytes(start[:8], "little") < MAX_HEADER:
        return True
    for magic, what in OTHER_FORMATS.items():
        if start.startswith(magic):
            raise SpecError.of("E704", f"{name} is not a weights file: it is {what}")
    if start and all(byte in TEXT for byte in start):
        raise SpecError.of("E704", f"{name} is not a weights file: it is text")
    if path.suffix.lower() != SAFETENSORS:
        return False
    if start.startswith(PYTORCH):  # torch.load depends on the ending, too
        raise SpecError.of(
            "E704", f"{name} is not a safetensors file: it was written by torch.save", help="rename it to .pth"
        )
    return True


def _no_weight(key: str, name: str, what: str) -> SpecError:
    return SpecError.of(
        "E704", f"`{key}` in {name} cannot be a weight: it is {what}", help="save it as an ordinary dense tensor"
    )


def _common_prefix(keys: list[str]) -> str:
    """The longest common prefix of all keys that consists of prefixes added by wrappers."""
    prefix = ""
    while True:
        more = next((known for known in PREFIXES if all(key.startswith(prefix + known) for key in keys)), None)
        if more is None:
            return prefix
        prefix += more
