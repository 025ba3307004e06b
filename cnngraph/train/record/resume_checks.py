"""Checks whether a run can be resumed from its saved state."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from cnngraph import run_files
from cnngraph.diagnostics import SpecError
from cnngraph.recipe import Recipe, to_dict
from cnngraph.stored_documents import damaged, is_regular_file, read_document, validate_document

STATE_VERSION = 4
CHANGEABLE = {  # keys of the recipe that may change when a run is resumed
    "about", "device", "early_stopping", "epochs", "keep_every", "save_every", "strategy", "workers",
}  # fmt: skip
TENSOR_KEYS = {"model", "optimizer", "scaler", "average", "counters", "random"}


def document_digests(folder: Path, recipe: Recipe) -> dict[str, str]:
    """The SHA-256 of the content of each document that the weights depend on; "" for a missing document.

    Of the recipe, these are the keys that may not change when the run is resumed; `normalize` is in data.json.
    """
    spec, data = folder / run_files.SPEC, read_document(folder / run_files.DATA, "data")
    fixed = {key: value for key, value in to_dict(recipe).items() if key not in CHANGEABLE | {"normalize"}}
    facts = {key: data[key] for key in ("classes", "image", "mean", "std")} | _images(data) if data else None
    return {
        run_files.SPEC: hashlib.sha256(spec.read_bytes()).hexdigest() if is_regular_file(spec) else "",
        run_files.RECIPE: _digest(fixed),
        run_files.DATA: _digest(facts) if facts else "",
    }


def _images(data: Mapping[str, Any]) -> dict[str, Any]:
    return {"images": data["images"]["sha256"]} if "images" in data else {}


def _digest(plain: Mapping[str, Any]) -> str:
    return hashlib.sha256(json.dumps(plain, sort_keys=True).encode()).hexdigest()


def check_documents(recorded: Mapping[str, str], folder: Path, recipe: Recipe, help: str) -> None:
    """Raise SpecError (E645) if the digest of a document differs from the recorded one."""
    for name, digest in document_digests(folder, recipe).items():
        if recorded.get(name, digest) != digest:
            path = folder / name
            raise damaged(path, "it is missing" if not digest else "it was changed after the run wrote it", help)


def check_structure(state: Mapping[str, Any], path: Path) -> None:
    """Raise SpecError if a saved state has missing or malformed entries (E645), or is of a newer version (E646)."""
    missing = sorted(TENSOR_KEYS - set(state)) if isinstance(state, dict) else ["a mapping"]
    if missing:
        raise damaged(path, f"it lacks {missing[0]}")
    plain = {key: value for key, value in state.items() if key not in TENSOR_KEYS}
    counters, model, random = state["counters"], state["model"], state["random"]
    sums = counters.get("sums") if isinstance(counters, dict) else None
    if not isinstance(sums, Tensor) or sums.shape != (2,):
        raise damaged(path, "$.counters.sums: it must be two numbers")
    if not isinstance(model, dict) or not all(isinstance(value, Tensor) for value in model.values()):
        raise damaged(path, "$.model: it must be a mapping of tensors")
    if not isinstance(random, list) or not random or not all(map(_is_random_state, random)):
        raise damaged(path, "$.random: it must be a list of generator states")
    validate_document({**plain, "images": counters.get("images")}, "state", path)


def _is_random_state(value: object) -> bool:
    """Whether a value is the state of one process's random generators."""
    return isinstance(value, list) and bool(value) and all(isinstance(state, Tensor) for state in value)


def check_recipe(state: Mapping[str, Any], recipe: Recipe) -> None:
    """Raise SpecError (E631) if a state was saved with another recipe; measured values of `normalize` may differ."""
    now, then = to_dict(recipe), state["recipe"]
    free = CHANGEABLE | ({"normalize"} if recipe.measures else set())
    changed = [key for key in now if key not in free and now[key] != then.get(key)]
    if changed:
        raise _mismatch(f"its recipe differs in {' and '.join(changed)}")


def check_state(state: Mapping[str, Any], recipe: Recipe, model: nn.Module, steps: int) -> None:
    """Raise SpecError (E631) if a state was saved with another recipe, network or data."""
    check_recipe(state, recipe)
    shapes = {key: tensor.shape for key, tensor in model.state_dict().items()}
    saved = {key: tensor.shape for key, tensor in state["model"].items()}
    if shapes != saved:
        key = next(key for key in [*shapes, *saved] if shapes.get(key) != saved.get(key))
        raise _mismatch(f"its network differs in {key}")
    if state["steps"] != steps:
        problem = f"its epochs had {state['steps']:,} steps but would now have {steps:,}, because the images changed"
        raise _mismatch(problem)


@contextmanager
def reporting_mismatch(path: Path) -> Iterator[None]:
    """Turn PyTorch's errors into SpecError (E645) when a well-formed state does not fit the run."""
    try:
        yield
    except (SpecError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # an optimizer's state may hold anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise damaged(path, f"it does not fit the run: {reason[:200]}") from None


def _mismatch(problem: str) -> SpecError:
    message = f"the run cannot be resumed: {problem}"
    return SpecError.of("E631", message, help="start a new run without `--resume`")
