"""PyTorch's pickles, read without running any code of theirs: tensors are made, all other objects are left out."""

from __future__ import annotations

import re
import warnings
import zipfile
from collections.abc import Mapping
from pathlib import Path
from pickle import UnpicklingError
from typing import Any

import torch
from torch import Tensor

from cnngraph.diagnostics import SpecError

WRAPPERS = (  # keys under which training scripts put the weights, the likeliest first
    "state_dict",
    "model_state_dict",
    "model_state",
    "model",
    "net",
    "network",
    "module",
    "params_ema",
    "params",
    "weights",
    "state_dict_ema",
    "model_ema",
    "ema_state_dict",
    "ema",
)
NO_WEIGHTS = re.compile("optim|sched|scaler|rng|sampler|loss|criterion|config|args|hparams|hyper_param", re.IGNORECASE)
MOST_WRAPPERS = 8  # within each other
MOST_CLASSES = 64  # of objects that are left out
UNKNOWN_GLOBAL = re.compile(r"Unsupported global: GLOBAL (\S+) was not an allowed global")
NUMPY_ARRAY = re.compile(r"numpy\.(_?core)\.multiarray\._reconstruct")


class Unread:
    """Stands for an object whose class is not loaded; `name` is the class. It accepts any state and drops it."""

    name = ""

    def __init__(self, *args: object, **kwargs: object) -> None:
        pass

    def __setstate__(self, state: object) -> None:
        pass

    def __setitem__(self, key: object, value: object) -> None:
        pass


def unpickled(path: Path, name: str) -> Mapping[Any, Any]:
    """The mapping that a pickle holds. Raises SpecError (E704) where it holds none, or cannot be read safely."""
    _refuse_programs(path, name)
    content = _load(path, name)
    if isinstance(content, Mapping):
        return content
    if isinstance(content, Unread):
        message = f"{name} is a pickled {content.name}, which only its own code can load"
        raise SpecError.of("E704", message, help="save the weights alone: torch.save(model.state_dict(), file)")
    raise SpecError.of("E704", f"there are no weights in {name}: it holds {_kind(content)}")


def unwrapped(content: Mapping[Any, Any], name: str) -> tuple[dict[str, Tensor], tuple[str, ...]]:
    """The weights of a checkpoint, and the keys of the tables that they are in.

    Raises SpecError (E704) where there are none, or several tables may be meant.
    """
    found_in: tuple[str, ...] = ()
    table: Mapping[Any, Any] = content
    while len(found_in) < MOST_WRAPPERS:  # it may hold itself
        key = _wrapper(table, name)
        if key is None:
            break
        table, found_in = table[key], (*found_in, str(key))
    weights = {str(key): each for key, each in table.items() if isinstance(each, Tensor)}
    if not weights:
        raise _no_weights(content, name)
    return weights, found_in


def _wrapper(table: Mapping[Any, Any], name: str) -> Any:
    """The key of the table inside this one that holds the weights; None where this one does."""
    known = next((key for key in WRAPPERS if isinstance(table.get(key), Mapping)), None)
    if known is not None:
        return known
    if any(isinstance(each, Tensor) and each.dim() > 0 for each in table.values()):
        return None
    inner = {
        key: count for key, each in table.items() if (count := _weights_in(each)) and not NO_WEIGHTS.search(str(key))
    }
    if len(inner) > 1:
        notes = [f"{str(key)!r} ({count:,} tensors)" for key, count in inner.items()]
        key = next(iter(inner))
        help = f"save one of them: torch.save(torch.load({name!r}, weights_only=True)[{key!r}], 'weights.pth')"
        raise SpecError.of("E704", f"{name} holds several tables of weights: {', '.join(notes)}", help=help)
    return next(iter(inner), None)


def _weights_in(value: object, depth: int = MOST_WRAPPERS) -> int:
    """How many tensors a table holds, those of tables inside it counted."""
    if not isinstance(value, Mapping) or not depth:
        return 0
    return sum(isinstance(each, Tensor) or _weights_in(each, depth - 1) for each in value.values())


def _no_weights(content: Mapping[Any, Any], name: str) -> SpecError:
    if any(isinstance(each, Unread) and NUMPY_ARRAY.fullmatch(each.name) for each in content.values()):
        help = "save tensors: torch.save({key: torch.from_numpy(array) for key, array in arrays.items()}, file)"
        return SpecError.of("E704", f"{name} holds NumPy arrays, no tensors", help=help)
    keys = [repr(str(key)[:40]) for key in content]
    shown = f"{', '.join(keys[:8])}{', …' if len(keys) > 8 else ''}"
    return SpecError.of(
        "E704", f"there are no weights in {name}" + (f": it holds {shown}" if keys else ": it is empty")
    )


def _refuse_programs(path: Path, name: str) -> None:
    """Raise SpecError for an archive that holds a program beside its weights."""
    if not zipfile.is_zipfile(path):
        return
    try:
        inside = zipfile.ZipFile(path).namelist()
    except (OSError, zipfile.BadZipFile):
        return
    if any(each.endswith("/constants.pkl") for each in inside):
        help = f"save its weights: torch.save(torch.jit.load({name!r}).state_dict(), 'weights.pth')"
        raise SpecError.of("E704", f"{name} is a TorchScript archive, not a file of weights", help=help)
    if any(each.endswith("archive_format") or "serialized_exported_program" in each for each in inside):
        help = f"save its weights: torch.save(torch.export.load({name!r}).state_dict, 'weights.pth')"
        raise SpecError.of("E704", f"{name} is an exported program, not a file of weights", help=help)
    if not any(each.endswith("data.pkl") for each in inside):
        kind = "a NumPy archive" if all(each.endswith(".npy") for each in inside) else "a zip archive"
        raise SpecError.of("E704", f"{name} is {kind}, not a file of weights")


def _load(path: Path, name: str) -> Any:
    """What torch makes of a pickle; objects of classes that it does not load are left out, one class at a time."""
    left_out: dict[str, type[Unread]] = {}
    while True:
        stand_ins: list[Any] = [(cls, each) for each, cls in left_out.items()]
        try:
            with warnings.catch_warnings(), torch.serialization.safe_globals(stand_ins):
                warnings.simplefilter("ignore")  # of forms that torch reads all the same
                return torch.load(path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path))
        except EOFError:
            raise SpecError.of("E704", f"cannot read {name}: it ends too early") from None
        except UnpicklingError as error:
            unknown = UNKNOWN_GLOBAL.search(str(error))
            if unknown is None or unknown[1] in left_out or len(left_out) == MOST_CLASSES:
                raise _not_read(name) from None
            left_out[unknown[1]] = type("Unread", (Unread,), {"name": unknown[1]})
        except (OSError, RuntimeError, ValueError):
            raise
        except Exception:  # what is no pickle at all fails in any way there is
            raise _not_read(name) from None


def _not_read(name: str) -> SpecError:
    message = f"{name} holds more than tensors, or is damaged; it was not read"
    return SpecError.of("E704", message, help="save the weights alone: torch.save(model.state_dict(), file)")


def _kind(content: object) -> str:
    """What a pickle holds in place of a mapping."""
    return "a single tensor" if isinstance(content, Tensor) else f"a {type(content).__name__}"


def not_plain(tensor: Tensor) -> str | None:
    """Why a tensor can be no weight; None where it is one of plain numbers in memory of its own."""
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
