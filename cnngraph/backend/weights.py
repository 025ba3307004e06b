"""Weights on disk: published ones come in with a report on every key, and a network's go out as safetensors."""

from __future__ import annotations

import os
import pickle
import re
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file
from torch import Tensor, nn

from cnngraph.diagnostics import Diagnostic, SpecError

PICKLES = (".pth", ".pt", ".bin", ".ckpt")
WRAPPERS = ("state_dict", "model_state_dict", "model")  # keys under which training scripts put the weights
COUNTER = "num_batches_tracked"  # of batch norm; old files lack it, and nothing hangs on it
SHOWN = 8  # keys of a kind that a report shows


@dataclass(frozen=True, slots=True)
class Misshapen:
    """A weight whose shape in the file is not the network's."""

    key: str
    in_file: tuple[int, ...]
    in_model: tuple[int, ...]

    def __str__(self) -> str:
        return f"{self.key}: {_shape(self.in_file)} in the file, {_shape(self.in_model)} in the network"


@dataclass(frozen=True, slots=True)
class WeightsReport:
    """What became of every key: `missing` are the network's that the file lacks, `unexpected` the file's own."""

    file: str
    loaded: tuple[str, ...]
    missing: tuple[str, ...]
    unexpected: tuple[str, ...]
    misshapen: tuple[Misshapen, ...]

    @property
    def ok(self) -> bool:
        """Whether every weight of the network came from the file, and nothing was left over."""
        return not (self.missing or self.unexpected or self.misshapen)

    def __str__(self) -> str:
        lines = [f"{self.file}: {len(self.loaded):,} of {self._expected():,} weights loaded"]
        lines += _listed("missing in the file", self.missing)
        lines += _listed("of another shape", self.misshapen)
        lines += _listed("in the file only", self.unexpected)
        return "\n".join(lines)

    def _expected(self) -> int:
        return len(self.loaded) + len(self.missing) + len(self.misshapen)


def load_weights(model: nn.Module, file: str | Path, renames: Mapping[str, str] | None = None) -> WeightsReport:
    """Load what fits into the model, and report on every key.

    The file is safetensors, or a pickle of PyTorch, of which only tensors are read, never code. `renames` give keys
    of the file the network's names: `*` is part of a name between two dots, `**` anything, and the stars of the new
    name are what those of the old one stood for, in their order. The first pattern that fits a key counts.
    Raises SpecError where the file cannot be read, or two keys become the same.
    """
    path = Path(file)
    wanted = model.state_dict()
    found: dict[str, Tensor] = {}
    unexpected = []
    for key, tensor in _renamed(_read(path), renames or {}, path).items():
        if key in wanted:
            found[key] = tensor
        else:
            unexpected.append(key)
    fitting = {key: each for key, each in found.items() if each.shape == wanted[key].shape}
    misshapen = [
        Misshapen(key, tuple(each.shape), tuple(wanted[key].shape)) for key, each in found.items() if key not in fitting
    ]
    on_meta = any(each.is_meta for each in wanted.values())
    model.load_state_dict(fitting, strict=False, assign=on_meta)
    missing = [key for key in wanted if key not in found and key.rpartition(".")[2] != COUNTER]
    loaded = tuple(key for key in wanted if key in fitting)
    return WeightsReport(str(path), loaded, tuple(missing), tuple(unexpected), tuple(misshapen))


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write the model's state_dict as safetensors: the file is the whole old one or the whole new one, never half."""
    path = Path(path)
    tensors: dict[str, Tensor] = {}
    seen: set[int] = set()
    for key, each in model.state_dict().items():
        tensor = each.detach().cpu().contiguous()
        memory = tensor.untyped_storage()
        if memory.data_ptr() in seen or memory.nbytes() != tensor.nbytes:
            tensor = tensor.clone()  # safetensors takes no two tensors in the same memory
        seen.add(tensor.untyped_storage().data_ptr())
        tensors[key] = tensor
    handle, beside = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    os.close(handle)
    try:
        save_file(tensors, beside, metadata={"format": "pt"})
        Path(beside).chmod(0o666 & ~_umask())
        os.replace(beside, path)
    finally:
        Path(beside).unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def _read(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by key."""
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        if path.suffix not in PICKLES:
            raise _refusal(f"cannot tell what {path} is", f"name it .safetensors, or {', '.join(PICKLES)}")
        content = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError:
        raise _refusal(f"there is no file {path}") from None
    except pickle.UnpicklingError:
        message = f"{path} holds more than tensors, or is damaged; it was not read"
        raise _refusal(message, "ask for the weights alone: torch.save(model.state_dict(), file)") from None
    except (OSError, EOFError, RuntimeError, ValueError, SafetensorError) as error:
        raise _refusal(f"cannot read {path}: {error}") from None
    return _state_dict(content, path)


def _state_dict(content: Any, path: Path) -> dict[str, Tensor]:
    """The weights of a checkpoint, out of their wrapper, and without the prefix that parallel training leaves."""
    while isinstance(content, Mapping):
        inner = next((content[key] for key in WRAPPERS if isinstance(content.get(key), Mapping)), None)
        if inner is None:
            break
        content = inner
    tensors = {str(key): each for key, each in content.items() if isinstance(each, Tensor)} if content else {}
    if not tensors:
        raise _refusal(f"there are no weights in {path}")
    if all(key.startswith("module.") for key in tensors):
        return {key.removeprefix("module."): each for key, each in tensors.items()}
    return tensors


def _renamed(tensors: dict[str, Tensor], renames: Mapping[str, str], path: Path) -> dict[str, Tensor]:
    rules = [_rename(old, new) for old, new in renames.items()]
    renamed: dict[str, Tensor] = {}
    for key, tensor in tensors.items():
        fits = ((pattern.fullmatch(key), template) for pattern, template in rules)
        new = next((match.expand(template) for match, template in fits if match), key)
        if new in renamed:
            raise _refusal(f"two weights of {path} would be called {new}, one of them is {key}", "look at the renames")
        renamed[new] = tensor
    return renamed


def _rename(old: str, new: str) -> tuple[re.Pattern[str], str]:
    """A pattern for keys, and the template of their new names."""
    stars = re.findall(r"\*\*?", old)
    if len(stars) != len(re.findall(r"\*\*?", new)):
        raise _refusal(f"the rename of {old} to {new} needs as many stars on both sides")
    pattern = "".join({"*": "([^.]*)", "**": "(.*)"}.get(each) or re.escape(each) for each in re.split(r"(\*\*?)", old))
    count = iter(range(1, len(stars) + 1))
    return re.compile(pattern), re.sub(r"\*\*?", lambda _: f"\\g<{next(count)}>", new.replace("\\", "\\\\"))


def _refusal(message: str, help: str | None = None) -> SpecError:
    return SpecError([Diagnostic("E704", message, help=help)])


def _listed(title: str, keys: Iterable[object]) -> list[str]:
    lines = [str(each) for each in keys]
    if not lines:
        return []
    more = [f"… {len(lines) - SHOWN:,} more"] if len(lines) > SHOWN else []
    return [f"{len(lines):,} {title}:", *(f"  {each}" for each in [*lines[:SHOWN], *more])]


def _shape(shape: tuple[int, ...]) -> str:
    return "×".join(map(str, shape)) or "one number"
