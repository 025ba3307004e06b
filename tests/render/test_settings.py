"""Invalid options of `cnngraph.render` are refused before anything is drawn, as `docs/python.md` says."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import click
import pytest

import cnngraph
from cnngraph.api import drawing
from cnngraph.cli.commands.render import render as command
from cnngraph.render.settings import SCALES, Settings

SPEC = "cnngraph: 1\ninput: [4]\nnodes: [relu]\n"


def literals() -> dict[str, tuple[Any, ...]]:
    """The values of each parameter of `cnngraph.render` that has only a few."""
    found = {}
    for name, parameter in inspect.signature(cnngraph.render).parameters.items():
        if parameter.annotation.startswith(("Literal[", "Format ")):
            hint = eval(parameter.annotation, vars(drawing))
            found[name] = next(get_args(kind) for kind in (hint, *get_args(hint)) if get_origin(kind) is Literal)
    return found


def render(spec: Path, path: Path | None = None, **options: Any) -> bytes:
    return cnngraph.render(spec, path, **options).data


@pytest.fixture
def spec(tmp_path: Path) -> Path:
    path = tmp_path / "net.yaml"
    path.write_text(SPEC)
    return path


def test_the_options_with_few_values() -> None:
    assert set(literals()) == {"format", "page", "direction", "theme", "style"}
    choices = {
        param.name: tuple(param.type.choices) for param in command.params if isinstance(param.type, click.Choice)
    }
    for name, values in literals().items():
        assert name == "format" or choices[name] == (*values, *(["none"] if name == "page" else [])), name


@pytest.mark.parametrize("value", ["rubbish", 3])
@pytest.mark.parametrize("name", literals())
def test_an_unknown_value_is_refused_with_the_known_ones(name: str, value: object, spec: Path) -> None:
    with pytest.raises(ValueError, match=f"^{name} must be ") as caught:
        render(spec, None, **{name: value})
    assert all(repr(known) in str(caught.value) for known in literals()[name])
    assert str(caught.value).endswith(f"got {value!r}")


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("depth", 0, ValueError),
        ("depth", "2", TypeError),
        ("depth", True, TypeError),
        ("scale", 0, ValueError),
        ("scale", -1.0, ValueError),
        ("scale", float("nan"), ValueError),
        ("scale", float("inf"), ValueError),
        ("scale", "2", TypeError),
        ("title", 3, TypeError),
    ],
)
def test_wrong_numbers_and_types(name: str, value: object, error: type[Exception], spec: Path) -> None:
    with pytest.raises(error, match=f"^{name} must be "):
        render(spec, spec.with_suffix(".svg"), **{name: value})
    assert not spec.with_suffix(".svg").exists()


def test_the_largest_and_smallest_scale_are_those_of_the_command_line(spec: Path) -> None:
    for scale in SCALES:
        assert render(spec, scale=scale)
    convert = next(param.type for param in command.params if param.name == "scale")
    assert [convert.convert(str(scale), None, None) for scale in SCALES] == list(SCALES)
    with pytest.raises(click.UsageError, match=f"from {SCALES[0]:g} to {SCALES[1]:g}"):
        convert.convert(str(2 * SCALES[1]), None, None)


def test_the_signature_and_the_settings_have_the_same_defaults() -> None:
    parameters = inspect.signature(cnngraph.render).parameters
    for name in ("page", "direction", "depth", "node", "fold", "shapes", "legend", "title", "scale", "theme", "style"):
        assert parameters[name].default == getattr(Settings(), name), name
