"""The state of a run that was saved, and whether it is one to go on from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from torch import nn

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.recipe import Recipe, to_dict

STATE_VERSION = 2


def check_state(state: Mapping[str, Any], recipe: Recipe, model: nn.Module, steps: int) -> None:
    """Raise SpecError (E631) where a saved state is not of this recipe, network and data."""
    problem = None
    # What may change between the two halves of a run.
    free = {"about", "device", "early_stopping", "epochs", "keep_every", "save_every", "strategy", "workers"}
    now, then = to_dict(recipe), state.get("recipe", {})
    changed = [each for each in now if each not in free and now[each] != then.get(each)]
    ours = {key: each.shape for key, each in model.state_dict().items()}
    theirs = {key: each.shape for key, each in state.get("model", {}).items()}
    if state.get("version") != STATE_VERSION:
        problem = "it was written by another version of cnngraph"
    elif changed:
        problem = f"its recipe has another {' and '.join(changed)}"
    elif ours != theirs:
        key = next(each for each in [*ours, *theirs] if ours.get(each) != theirs.get(each))
        problem = f"its network is another one: {key} differs"
    elif state["steps"] != steps:
        problem = f"its epochs had {state['steps']:,} steps, now they would have {steps:,}: the images changed"
    if problem:
        raise SpecError(
            [Diagnostic("E631", f"the run cannot go on: {problem}", help="begin a new one without --resume")]
        )
