"""Recipe to text again: every field, the ones that were left to their defaults as well."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnngraph.document.flow import write_flow
from cnngraph.fields import fields_of
from cnngraph.recipe.kinds import OrNone
from cnngraph.recipe.model import Recipe


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values, which read as the same recipe."""
    return _record(recipe)


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML text, a line a field."""
    return "".join(f"{key}: {write_flow(value)}\n" for key, value in to_dict(recipe).items() if value != "")


def _record(made: Any) -> dict[str, Any]:
    found = {}
    for name, each in fields_of(type(made)).items():
        value = getattr(made, name)
        if value is None and isinstance(each.kind, OrNone):
            found[name] = "none"
        elif value is not None:
            found[name] = _plain(value)
    return found


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return dict(value)
    return _record(value) if hasattr(value, "__dataclass_fields__") else value
