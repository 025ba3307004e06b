"""Fixes of specs with several errors, of which one hides another: what depends on a wrong node is not checked."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_text, fix_spec
from cnngraph.diagnostics import Diagnostic, Source, apply_edits

HEAD = "cnngraph: 1\ninput: [3, 32, 32]\nnodes:\n"


def check(text: str) -> tuple[Diagnostic, ...]:
    return compile_text(Source("net.yaml", HEAD + text), Path(), fixes=True).diagnostics


HIDING = {
    "two kernels, then a linear of a map": (
        "  a: {op: conv, from: in, out: 8, kernel: 3}\n"
        "  b: {op: conv, from: in, out: 8, kernel: 5}\n"
        "  c: {op: add, from: [a, b]}\n"
        "  d: {op: linear, out: 10}\n",
        "E203",
        "E211",
    ),
    "a misspelt parameter, then a missing one": (
        "  a: {op: dropout, rate: 0.5}\n  b: {op: conv, out: 8}\n",
        "E207",
        "E206",
    ),
    "a quoted number, then a name without $": (
        "  a: {op: conv, out: '4', kernel: 1}\n  b: {op: conv, out: a.channels, kernel: 1}\n",
        "E205",
        "E205",
    ),
    "a misspelt parameter, then a node that nothing reads": (
        "  a: {op: conv, out: 8, kernel: 3}\n  b: {op: tanh, from: in}\n  c: {op: dropout, rate: 0.1}\n",
        "E207",
        "E316",
    ),
}


@pytest.mark.parametrize(("text", "code", "hidden"), HIDING.values(), ids=HIDING)
def test_the_fix_of_an_error_may_reveal_another(text: str, code: str, hidden: str) -> None:
    (error,) = check(text)
    assert error.code == code
    after = check(apply_edits(HEAD + text, error.fixes[0].edits).removeprefix(HEAD))
    assert [found.code for found in after] == [hidden]
    assert (after[0].message, after[0].line) != (error.message, error.line)


@pytest.mark.parametrize(
    "text",
    [
        "  a: {op: conv, out: 8, kernel: 3, activation: relu}\n  b: {op: conv, out: 8}\n",
        "  a: {op: gate}\n  b: {op: conv, out: 8}\n",
    ],
)
def test_a_change_that_only_moves_the_error_is_no_fix(text: str) -> None:
    (error,) = check(text)
    assert not error.fixes


def test_check_fixes_one_after_the_other(tmp_path: Path) -> None:
    spec = tmp_path / "net.yaml"
    spec.write_text(HEAD + HIDING["two kernels, then a linear of a map"][0])
    fixed = fix_spec(str(spec))
    assert fixed.ok
    assert [fix.line for fix in fixed.applied] == [4, 7]


@pytest.mark.parametrize(
    "more",
    [
        "init: [{match: conv, weight: 0, bias: $a.channels}]\n",
        "outputs: {x: a}\n",
        "init: [{match: conv, weight: {normal: {std: '1 / $a.channels'}}}]\noutputs: {x: b}\n",
    ],
)
def test_what_reads_a_node_with_an_error_is_not_reported(more: str) -> None:
    (error,) = check("  a: {op: xyzzyx, out: 8}\n  b: {op: conv, out: 8, kernel: 3}\n" + more)
    assert error.code == "E313"


def test_only_a_tensor_without_axes_has_no_sizes() -> None:
    head = HEAD.replace("[3, 32, 32]", "[12]")
    assert not compile_text(Source("net.yaml", f"{head}  a: {{op: mean, dim: 1, expect: []}}\n"), Path()).diagnostics
    (error,) = check("  a: {op: relu, expect: []}\n")
    assert error.code == "E205"
