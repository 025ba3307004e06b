"""The search for causes and fixes of shape errors; an exception in it never hides the error itself."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any, NoReturn

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.elaborate import causes, repairs

DIFFERENT_SIZES = """\
up: {op: conv_transpose, out: 8, kernel: 2, stride: 2}
down: {op: max_pool, kernel: 2, padding: 1, stride: 1}
scaled: {op: add, from: [up, down]}
"""
DIFFERENT_CHANNELS = "wide: {op: conv, out: 4, kernel: 1}\nsum: {op: add, from: [in, wide]}"
WINDOW = "a: {op: max_pool, kernel: 2}\nb: {op: max_pool, kernel: 2}\nc: {op: max_pool, kernel: 9}"


def only_error(nodes: str, input: str = "[8, 8, 8]") -> Diagnostic:
    lines = "".join(f"  {line}\n" for line in nodes.splitlines())
    (error,) = compile_text(Source("net.yaml", f"cnngraph: 1\ninput: {input}\nnodes:\n{lines}"), Path()).diagnostics
    return error


def functions() -> list[tuple[Any, str]]:
    """Every function of the search except its guarded entry points."""
    found: list[tuple[Any, str]] = []
    for owner in (causes, causes.Trace, repairs, repairs.Repairs):
        module = owner.__name__ if inspect.ismodule(owner) else owner.__module__
        members = inspect.getmembers(owner, lambda member: inspect.isfunction(member))
        found += [(owner, name) for name, member in members if member.__module__ == module]
    skipped = ("refusal", "causes", "history", "producer")
    return [(owner, name) for owner, name in found if not name.startswith("__") and name not in skipped]


@pytest.mark.parametrize(("owner", "name"), functions(), ids=lambda value: getattr(value, "__name__", value))
@pytest.mark.parametrize(
    ("nodes", "code"), [(DIFFERENT_SIZES, "E203"), (DIFFERENT_CHANNELS, "E202"), (WINDOW, "E204")], ids=str
)
def test_an_exception_in_the_search_for_causes_keeps_the_error(
    owner: Any, name: str, nodes: str, code: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> NoReturn:
        raise ZeroDivisionError

    plain = only_error(nodes)
    monkeypatch.setattr(owner, name, fail)
    error = only_error(nodes)
    assert (error.code, error.message, error.span, error.node) == (code, plain.message, plain.span, plain.node)


@pytest.mark.parametrize("other", ["parameter, shape: [8]", "parameter, shape: [7]", "global_avg_pool, from: in"])
@pytest.mark.parametrize("op", ["add", "mul", "maximum", "concat", "sub"])
@pytest.mark.parametrize("map_", ["conv_transpose, out: 8, kernel: 2, stride: 2", "upsample, scale_factor: 2"])
def test_inputs_of_different_rank_are_one_error(op: str, other: str, map_: str) -> None:
    error = only_error(f"up: {{op: {map_}}}\nother: {{op: {other}}}\nsum: {{op: {op}, from: [up, other]}}")
    assert error.code in ("E202", "E203", "E211", "E212")


def test_a_parameter_for_each_channel_needs_its_axes() -> None:
    error = only_error(
        "up: {op: conv_transpose, out: 8, kernel: 2, stride: 2}\n"
        "gamma: {op: parameter, shape: [8]}\nscaled: {op: mul, from: [up, gamma]}"
    )
    assert error.code == "E203"
    assert "add `axes: C` to the parameter" in str(error.help)


CONV = "add: {op: add, from: [in, a]}"


@pytest.mark.parametrize("size", [8, 13, 14, 31])
@pytest.mark.parametrize(
    ("node", "fact", "help"),
    [
        ("conv, out: 8, kernel: 2, padding: 1", "one row too many", "padding: same"),
        ("conv, out: 8, kernel: 4, padding: 2", "one row too many", "padding: same"),
        ("conv, out: 8, kernel: 4, padding: 1", "one row too few", "padding: same"),
        ("conv, out: 8, kernel: 2, padding: half", "", "padding: same"),
        ("max_pool, kernel: 2, stride: 1, padding: 1", "one row too many", "padding: tf_same"),
        ("max_pool, kernel: 4, stride: 1, padding: 2", "one row too many", "padding: tf_same"),
        ("avg_pool, kernel: 2, stride: 1, padding: 1", "one row too many", "padding: tf_same"),
        ("avg_pool, kernel: [2, 1], stride: 1, padding: [1, 0]", "too many", "padding: tf_same"),
    ],
)
def test_an_even_kernel_with_padding_is_the_cause(node: str, fact: str, help: str, size: int) -> None:
    error = only_error(f"a: {{op: {node}}}\n{CONV}", f"[8, {size}, {size}]")
    assert error.code == "E203"
    assert "divi" not in str(error)
    assert fact in str(error)
    assert help in str(error.help)


def test_an_indivisible_input_size_is_the_cause() -> None:
    nodes = "down: {op: max_pool, kernel: 2}\nup: {op: upsample, scale_factor: 2}\nsum: {op: add, from: [in, up]}"
    error = only_error(nodes, "[8, 31, 31]")
    assert "31×31 is not divisible by 2" in str(error.help)


@pytest.mark.parametrize(
    ("node", "size", "help"),
    [
        ("conv, out: 8, kernel: 3, stride: 2, padding: [0, 1, 0, 1]", 224, "{op: pad, padding: [0, 1, 0, 1]}` before"),
        ("conv, out: 8, kernel: 3, stride: 2, padding: same", 224, "`padding: tf_same` is TensorFlow's `same`"),
        ("conv, out: 8, kernel: 7, stride: 2, padding: SAME", 224, "did you mean `tf_same`?"),
        ("conv, out: 8, kernel: 3, padding: SAME", 224, "did you mean `same`?"),
        ("conv, out: 8, kernel: 3, padding: VALID", 224, "did you mean `valid`?"),
        ("max_pool, kernel: 2, stride: 1, padding: same", 13, "did you mean `tf_same`?"),
        ("max_pool, kernel: 3, stride: 2, padding: SAME", 13, "did you mean `tf_same`?"),
        ("max_pool, kernel: 3, stride: 1, padding: same", 13, "did you mean `half`?"),
        ("avg_pool, kernel: 2, padding: same", 13, "did you mean `tf_same`?"),
        ("avg_pool, kernel: 3, padding: valid", 13, "did you mean `0`?"),
    ],
)
def test_tensorflow_padding_is_suggested(node: str, size: int, help: str) -> None:
    error = only_error(f"a: {{op: {node}}}", f"[8, {size}, {size}]")
    assert error.code == "E205"
    assert help in str(error.help)


def test_a_failed_expect_on_the_input_names_the_input() -> None:
    error = only_error("a: {nodes: [{op: relu, when: false}], expect: [3, 8, 8]}\nb: relu")
    assert "8×8×8 is the network's input" in error.notes
