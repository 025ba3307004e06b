"""The saved state of a run, and whether the run can be resumed from it."""

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
FREE = {  # what of a recipe may change between two halves of a run
    "about", "device", "early_stopping", "epochs", "keep_every", "save_every", "strategy", "workers",
}  # fmt: skip
TENSORS = {"model", "optimizer", "scaler", "average", "counters", "random"}


def documents_of(folder: Path, recipe: Recipe) -> dict[str, str]:
    """The SHA-256 of what each document of a run says that its weights depend on; "" for one that is missing.

    Of the recipe that is what may not change between two halves of a run; `normalize` is in data.json.
    """
    spec, data = folder / run_files.SPEC, read_document(folder / run_files.DATA, "data")
    fixed = {key: value for key, value in to_dict(recipe).items() if key not in FREE | {"normalize"}}
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
    """Raise SpecError (E645) where a document is not the one that `recorded` has the digest of, if it has one."""
    for name, digest in documents_of(folder, recipe).items():
        if recorded.get(name, digest) != digest:
            path = folder / name
            raise damaged(path, "it is missing" if not digest else "it was changed after the run wrote it", help)


def check_form(state: Mapping[str, Any], path: Path) -> None:
    """Raise SpecError where a saved state lacks something, or has it in another form (E645), or is newer (E646)."""
    missing = sorted(TENSORS - set(state)) if isinstance(state, dict) else ["a mapping"]
    if missing:
        raise damaged(path, f"it lacks {missing[0]}")
    plain = {key: each for key, each in state.items() if key not in TENSORS}
    counters, model, random = state["counters"], state["model"], state["random"]
    sums = counters.get("sums") if isinstance(counters, dict) else None
    if not isinstance(sums, Tensor) or sums.shape != (2,):
        raise damaged(path, "$.counters.sums: it must be two numbers")
    if not isinstance(model, dict) or not all(isinstance(each, Tensor) for each in model.values()):
        raise damaged(path, "$.model: it must be a mapping of tensors")
    if not isinstance(random, list) or not random or not all(map(_is_random_state, random)):
        raise damaged(path, "$.random: it must be a list of generators' states")
    validate_document({**plain, "images": counters.get("images")}, "state", path)


def _is_random_state(value: object) -> bool:
    """Whether a value is the state of one process's generators."""
    return isinstance(value, list) and bool(value) and all(isinstance(each, Tensor) for each in value)


def check_recipe(state: Mapping[str, Any], recipe: Recipe) -> None:
    """Raise SpecError (E631) where a saved state is of another recipe; what is still to be measured may be anything."""
    now, then = to_dict(recipe), state["recipe"]
    free = FREE | ({"normalize"} if recipe.measures else set())
    changed = [each for each in now if each not in free and now[each] != then.get(each)]
    if changed:
        raise _another(f"its recipe has another {' and '.join(changed)}")


def check_state(state: Mapping[str, Any], recipe: Recipe, model: nn.Module, steps: int) -> None:
    """Raise SpecError (E631) where a saved state is not of this recipe, network and data."""
    check_recipe(state, recipe)
    ours = {key: each.shape for key, each in model.state_dict().items()}
    theirs = {key: each.shape for key, each in state["model"].items()}
    if ours != theirs:
        key = next(each for each in [*ours, *theirs] if ours.get(each) != theirs.get(each))
        raise _another(f"its network is another one: {key} differs")
    if state["steps"] != steps:
        raise _another(f"its epochs had {state['steps']:,} steps, now they would have {steps:,}: the images changed")


@contextmanager
def refusing_misfits(path: Path) -> Iterator[None]:
    """Raises SpecError (E645) for whatever PyTorch raises where a state of the right form does not fit the run."""
    try:
        yield
    except (SpecError, OSError, torch.OutOfMemoryError):
        raise
    except Exception as error:  # an optimizer's state may hold anything
        reason = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise damaged(path, f"it does not fit the run: {reason[:200]}") from None


def _another(problem: str) -> SpecError:
    message = f"the run cannot be resumed: {problem}"
    return SpecError.of("E631", message, help="start a new run without --resume")
