"""Writing a recipe as plain values or YAML, including fields with default values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cnngraph.document.flow import write_flow
from cnngraph.fields import fields_of
from cnngraph.recipe.kinds import OrNone
from cnngraph.recipe.model import Recipe


def to_dict(recipe: Recipe) -> dict[str, Any]:
    """The recipe as plain values; reading them gives an equal recipe."""
    return _record(recipe)


def to_yaml(recipe: Recipe) -> str:
    """The recipe as YAML, one line per field."""
    return "".join(f"{key}: {write_flow(value)}\n" for key, value in to_dict(recipe).items() if value != "")


def _record(record: Any) -> dict[str, Any]:
    values = {}
    for name, field in fields_of(type(record)).items():
        value = getattr(record, name)
        if value is None and isinstance(field.kind, OrNone):
            values[name] = "none"
        elif value is not None:
            values[name] = _plain(value)
    return values


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, Mapping):
        return dict(value)
    return _record(value) if hasattr(value, "__dataclass_fields__") else value
