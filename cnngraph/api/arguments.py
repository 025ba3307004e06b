"""Converts Python arguments to the values of a spec or recipe: params, inputs, recipe changes, plugins."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from inspect import Parameter, signature
from numbers import Integral, Real
from pathlib import Path
from typing import TypeAlias

from cnngraph.diagnostics import Source, Span
from cnngraph.document import Table, Value, value_of
from cnngraph.language.load import Override
from cnngraph.migration import INPUT_CHANNELS
from cnngraph.recipe.changed import in_recipe

ARGUMENTS = "arguments"  # the file name in diagnostics about arguments

Params: TypeAlias = Mapping[str, object]
InputShape: TypeAlias = "Sequence[int] | Mapping[str, Sequence[int]]"
Plugins: TypeAlias = "str | Iterable[str]"
RecipeArgument: TypeAlias = "str | Path | Mapping[str, object]"


def overrides(
    params: Params | None, more: Params | None = None, function: Callable[..., object] | None = None
) -> tuple[Override, ...]:
    """Values that override a spec's params. `more` are keyword arguments of a function, which may be misspelled.

    Raises TypeError for a duplicate, or a value that YAML cannot express.
    """
    both = sorted(set(params or ()) & set(more or ()))
    if both:
        raise TypeError(f"`{both[0]}` is passed twice: as a keyword argument and in `params`")
    values = {**(params or {}), **(more or {})}
    own = _keywords(function) if function and more else ()
    return tuple(
        Override(name, _value(name, value), in_recipe(name), own if name in (more or ()) else ())
        for name, value in values.items()
    )


def recipe_changes(changes: Params | None, seed: int | None) -> tuple[Override, ...]:
    """Values that override a recipe's keys, by dotted names such as `optimizer.lr`. Raises TypeError."""
    if seed is not None and "seed" in (changes or ()):
        raise TypeError("`seed` is passed twice: as an argument and in `changes`")
    values = {**(changes or {}), **({} if seed is None else {"seed": seed})}
    return tuple(Override(name, _value(name, value)) for name, value in values.items())


def recipe_value(recipe: RecipeArgument | None) -> str | Table | None:
    """A recipe's name or path as a string, or its mapping as a YAML mapping. Raises TypeError."""
    if recipe is None:
        return None
    if not isinstance(recipe, Mapping):
        return str(recipe)
    value = _value("recipe", recipe)
    assert isinstance(value, Table)
    return value


def input_value(input: InputShape | None) -> Value | None:
    """The shapes of inputs as a YAML value: `(3, 224, 224)`, or a mapping of shapes by input name. Raises TypeError."""
    return None if input is None else _value("input", input)


def plugin_names(plugins: Plugins) -> tuple[str, ...]:
    """The names of plugin modules, which may be a single string."""
    return (plugins,) if isinstance(plugins, str) else tuple(plugins)


def patterns(value: str | Iterable[str]) -> tuple[str, ...]:
    """Patterns of paths, which may be a single string."""
    return (value,) if isinstance(value, str) else tuple(value)


def checked_channels(value: str | None) -> str:
    """How input channels are adapted, empty for the default. Raises ValueError."""
    if value is not None and value not in INPUT_CHANNELS:
        raise ValueError(f"input_channels must be 'sum', 'mean' or 'cycle', got {value!r}")
    return value or ""


def spelled(name: str) -> str:
    """The name of an option as a Python argument, in backticks."""
    return "`from_`" if name == "from" else f"`{name}`"


def _keywords(function: Callable[..., object]) -> tuple[str, ...]:
    parameters = signature(function).parameters.values()
    return tuple(item.name for item in parameters if item.kind is Parameter.KEYWORD_ONLY)


def _value(name: str, value: object) -> Value:
    text = f"{name}={value!r}"
    span = Span(Source(ARGUMENTS, text), 1, 1, 1, len(text) + 1)
    try:
        return value_of(_plain(value), span)
    except TypeError as error:
        raise TypeError(f"{name}: {error}") from None


def _plain(value: object) -> object:
    """The value with numbers and containers of other libraries, such as NumPy, replaced by Python's."""
    match value:
        case None | str() | bool():
            return value
        case Integral():
            return int(value)
        case Real():
            return float(value)
        case Path():
            return str(value)
        case Mapping():
            return {key: _plain(item) for key, item in value.items()}
        case list() | tuple() | range():
            return [_plain(item) for item in value]
    return value
