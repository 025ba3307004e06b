"""Reading PyTorch's pickles without executing code: only tensors are created, other objects are skipped."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from cnngraph.diagnostics import SpecError

WRAPPERS = (  # keys under which training scripts store the weights, most likely first
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params",
    "weights",
    "params_ema",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
)
NOT_WEIGHTS = re.compile("optim|sched|scaler|rng|sampler|loss|criterion|config|args|hparams|hyper_param", re.IGNORECASE)
MAX_WRAPPERS = 8  # nesting depth
MAX_TABLES = 64
MAX_VALUES = 1_000_000  # of all mappings of a file
MAX_CLASSES = 64  # of skipped objects
UNKNOWN_GLOBAL = re.compile(r"Unsupported global: GLOBAL (\S+) was not an allowed global")
NUMPY_ARRAY = re.compile(r"numpy\.(_?core)\.multiarray\._reconstruct")


class Unread:
    """A placeholder for an object whose class, `name`, is not loaded. It accepts any state and discards it."""

    name = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass


def unpickled(path: Path, name: str) -> Mapping[Any, Any]:
    """The mapping in a pickle. Raises SpecError (E704) if there is none, or it cannot be read safely."""
    _refuse_programs(path, name)
    content = _load(path, name)
    if isinstance(content, Mapping):
        return content
    if isinstance(content, Unread):
        message = f"{name} is a pickled {content.name}, which cannot be loaded without executing code"
        raise SpecError.of("E704", message, help="save only the weights: `torch.save(model.state_dict(), file)`")
    raise SpecError.of("E704", f"{name} contains no weights, only {_kind(content)}")


def tables_in(content: Mapping[Any, Any], name: str) -> dict[tuple[str, ...], dict[str, Tensor]]:
    """The mappings of a checkpoint that contain weights, by the keys of the mappings around them.

    Numbers are not weights: a mapping with nothing else counts only if it is the whole file. Raises SpecError (E704) if
    there are no weights.
    """
    found = {path: weights for path, weights in _tables(content) if any(value.dim() for value in weights.values())}
    if not found:
        found = {(): {str(key): value for key, value in content.items() if isinstance(value, Tensor)}}
    if not any(found.values()):
        raise _no_weights(content, name)
    return found


def usual_table(tables: Iterable[tuple[str, ...]]) -> tuple[str, ...] | None:
    """The table to take if no network decides: under the names that are used most, or the only one."""
    paths = list(tables)
    chosen: tuple[str, ...] = ()
    while paths:
        below = [path for path in paths if path[: len(chosen)] == chosen]
        names = {path[len(chosen)] for path in below if len(path) > len(chosen)}
        known = next((name for name in WRAPPERS if name in names), None)
        if known is None and (chosen in below or len(names) != 1):
            return chosen if chosen in below else None
        chosen = (*chosen, known if known is not None else names.pop())
    return None


def _tables(content: Mapping[Any, Any]) -> Iterator[tuple[tuple[str, ...], dict[str, Tensor]]]:
    """Every mapping with tensors, the outer ones first. A mapping may contain itself."""
    waiting: list[tuple[tuple[str, ...], Mapping[Any, Any]]] = [((), content)]
    seen = {id(content)}
    values = tables = 0
    while waiting and tables < MAX_TABLES and values < MAX_VALUES:
        path, mapping = waiting.pop(0)
        values += len(mapping)
        weights = {str(key): value for key, value in mapping.items() if isinstance(value, Tensor)}
        if weights:
            tables += 1
            yield path, weights
        for key, value in mapping.items():
            inner = isinstance(value, Mapping) and id(value) not in seen and len(path) < MAX_WRAPPERS
            if inner and not NOT_WEIGHTS.search(str(key)):
                seen.add(id(value))
                waiting.append(((*path, str(key)), value))


def _no_weights(content: Mapping[Any, Any], name: str) -> SpecError:
    if any(isinstance(value, Unread) and NUMPY_ARRAY.fullmatch(value.name) for value in content.values()):
        help = "save tensors: `torch.save({key: torch.from_numpy(array) for key, array in arrays.items()}, file)`"
        return SpecError.of("E704", f"{name} contains NumPy arrays instead of tensors", help=help)
    keys = [repr(str(key)[:40]) for key in content]
    shown = f"{', '.join(keys[:8])}{', …' if len(keys) > 8 else ''}"
    return SpecError.of("E704", f"{name} contains no weights" + (f", only {shown}" if keys else ": it is empty"))


def _refuse_programs(path: Path, name: str) -> None:
    """Raise SpecError (E704) for an archive that contains a program, or is not a file of torch.save."""
    if not zipfile.is_zipfile(path):
        return
    try:
        entries = zipfile.ZipFile(path).namelist()
    except (OSError, zipfile.BadZipFile):
        return
    if any(entry.endswith("/constants.pkl") for entry in entries):
        help = f"save its weights: `torch.save(torch.jit.load({name!r}).state_dict(), 'weights.pth')`"
        raise SpecError.of("E704", f"{name} is not a weights file: it is a TorchScript archive", help=help)
    if any(entry.endswith("archive_format") or "serialized_exported_program" in entry for entry in entries):
        help = f"save its weights: `torch.save(torch.export.load({name!r}).state_dict, 'weights.pth')`"
        raise SpecError.of("E704", f"{name} is not a weights file: it is an exported program", help=help)
    if not any(entry.endswith("data.pkl") for entry in entries):
        kind = "a NumPy archive" if all(entry.endswith(".npy") for entry in entries) else "a zip archive"
        raise SpecError.of("E704", f"{name} is not a weights file: it is {kind}")


def _load(path: Path, name: str) -> Any:
    """Load a pickle with torch; objects of classes that it does not allow are skipped, one class at a time."""
    skipped: dict[str, type[Unread]] = {}
    while True:
        stand_ins: list[Any] = [(cls, name) for name, cls in skipped.items()]
        try:
            with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
                warnings.simplefilter("ignore")  # about formats that torch can read anyway
                return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except EOFError:
            raise SpecError.of("E704", f"cannot read {name}: it is truncated") from None
        except UnpicklingError as error:
            unknown = UNKNOWN_GLOBAL.search(str(error))
            if unknown is None or unknown[1] in skipped or len(skipped) == MAX_CLASSES:
                raise _not_read(name) from None
            skipped[unknown[1]] = type("Unread", (Unread,), {"name": unknown[1]})
        except (OSError, RuntimeError, ValueError):
            raise
        except Exception:  # a file that is not a pickle may raise anything
            raise _not_read(name) from None


def _not_read(name: str) -> SpecError:
    message = f"cannot read {name}: it contains objects other than tensors, or is damaged"
    return SpecError.of("E704", message, help="save only the weights: `torch.save(model.state_dict(), file)`")


def _kind(content: object) -> str:
    """The content of a pickle that is not a mapping."""
    return "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"


def not_plain(tensor: Tensor) -> str | None:
    """Why a tensor cannot be a weight, or None for a dense tensor of plain numbers."""
    if tensor.is_nested:
        return "a nested tensor"
    if tensor.layout is not torch.strided:
        return "a sparse tensor"
    if tensor.is_meta:
        return "a tensor on the meta device, which has no data"
    if tensor.is_quantized:
        return "a quantized tensor"
    if tensor.dtype not in PLAIN:
        return f"a tensor of {str(tensor.dtype).removeprefix('torch.')}"
    if tensor.numel() * tensor.element_size() > tensor.untyped_storage().nbytes():
        return "a tensor whose elements overlap in memory"
    return None


PLAIN = frozenset(
    {
        torch.float16,
        torch.bfloat16,
        torch.float32,
        torch.float64,
        torch.float8_e4m3fn,
        torch.float8_e5m2,
        torch.uint8,
        torch.int8,
        torch.int16,
        torch.int32,
        torch.int64,
        torch.bool,
    }
)
