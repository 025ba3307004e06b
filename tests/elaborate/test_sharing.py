"""What can be shared, and the errors for everything else."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"

SHARED = {
    "a list of nodes": ("a: [batch_norm, relu]", "b: {share: a}"),
    "a repeat": ("a: {repeat: 2, op: conv, out: 8, kernel: 1}", "b: {share: a}"),
    "a repeat that gives a list": (
        "a: {repeat: 2, op: prelu, carry: none}",
        "b: {share: a, from: in}\n  c: {op: add, from: [a, b]}",
    ),
    "a dense block": (
        "a: {repeat: 2, op: conv, out: 8, kernel: 1, carry: concat}",
        "b: {share: a, from: in}\n  c: {op: add, from: [a, b]}",
    ),
    "one iteration": ("a: {repeat: 2, op: prelu}", "b: {share: a.0}"),
    "an iteration that joins the scope": ("a: {repeat: 2, name: r1, op: prelu, flat: true}", "b: {share: r2}"),
    "a node of a flat block": ("a: {flat: true, nodes: {x: prelu, y: relu}}", "b: {share: x}"),
    "on another size": ("a: [relu, {op: conv, out: 8, kernel: 3}]", "b: {share: a}"),
    "a scope that contains expect, on another size": (
        "a: [{op: max_pool, kernel: 2}, {op: prelu, expect: [8, 4, 4]}]",
        "b: {share: a, expect: [8, 2, 2]}",
    ),
    "in a repeat": ("a: prelu", "b: {repeat: 3, share: a}"),
    "in iterations that join the scope": ("a: prelu", "b: {repeat: 2, share: a, flat: true, name: r1}"),
    "in a dense block": (
        "a: {op: max_pool, kernel: 3, stride: 1, padding: 1}",
        "b: {repeat: 2, share: a, carry: concat}",
    ),
}
REFUSED = {
    "a flat repeat": ("a: {repeat: 1, op: prelu, flat: true}", "b: {share: a}", "E307"),
    "a flat block": ("a: {flat: true, nodes: {x: prelu, y: relu}}", "b: {share: a}", "E307"),
    "a node that shares": ("a: prelu", "m: {share: a}\n  b: {share: m}", "E307"),
    "a list that shares": ("a: [prelu]", "m: {share: a}\n  b: {share: m}", "E307"),
    "an inner node of a node that shares": ("a: [prelu]", "m: {share: a}\n  b: {share: m.0}", "E307"),
    "iterations that share": ("a: prelu", "m: {repeat: 2, share: a}\n  b: {share: m}", "E307"),
    "a scope that contains a share": ("a: {nodes: {x: prelu, y: {share: x}}}", "b: {share: a}", "E307"),
    "an unused node": ("a: {op: prelu, unused: true}", "b: {share: a, from: in}", "E312"),
    "a node inside an unused scope": ("a: {unused: true, nodes: [prelu, relu]}", "b: {share: a.0, from: in}", "E312"),
    "an absent node": ("a: {op: prelu, when: false}", "b: {share: a}", "E307"),
    "a tensor of a list": ("a: {op: chunk, chunks: 2}\n  s: {op: concat, from: a}", "b: {share: a.0}", "E307"),
    "an input": ("a: relu", "b: {share: in}", "E307"),
    "a share with unused": ("a: prelu", "b: {share: a, unused: true}\n  c: {op: relu, from: a}", "E109"),
    "a share with flat": ("a: prelu", "b: {share: a, flat: true}", "E109"),
    "a share with an expect that fails": ("a: prelu", "b: {share: a, expect: [4, 8, 8]}", "E209"),
    "other channels": ("a: {op: conv, out: 4, kernel: 1}", "b: {share: a}", "E307"),
    "parameters that depend on the size": ("a: [{op: max_pool, kernel: $in.height // 4}]", "b: {share: a}", "E307"),
    "a structure that depends on the size": (
        "a: [{op: max_pool, kernel: 2}, {op: prelu, when: $from.height > 2}, batch_norm]",
        "b: {share: a}",
        "E307",
    ),
    "a kernel larger than the new input": ("a: [{op: conv, out: 8, kernel: 5}]", "b: {share: a}", "E204"),
}


def outcome(owner: str, sharer: str) -> tuple[list[str], list[int | None]]:
    text = f"{HEAD}nodes:\n  {owner}\n  {sharer}\n"
    result = compile_text(Source("t.yaml", text), Path())
    if result.ok:
        assert result.graph is not None
        owners = {node.path for node in result.graph.nodes if not node.shares}
        shared = [node for node in result.graph.nodes if node.shares]
        assert shared
        assert {node.shares for node in shared} <= owners
        assert not any(key.startswith("b") for key in result.graph.state)
    return [diagnostic.code for diagnostic in result.diagnostics], [
        diagnostic.line for diagnostic in result.diagnostics
    ]


@pytest.mark.parametrize(("owner", "sharer"), SHARED.values(), ids=SHARED)
def test_what_can_be_shared(owner: str, sharer: str) -> None:
    assert outcome(owner, sharer) == ([], [])


@pytest.mark.parametrize(("owner", "sharer", "code"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_shared(owner: str, sharer: str, code: str) -> None:
    codes, lines = outcome(owner, sharer)
    assert codes == [code]
    last = 3 + f"{owner}\n{sharer}".split("\nb:")[0].count("\n") + 1
    assert all(line is not None and line >= last for line in lines)


def test_an_error_in_a_shared_module_is_reported_at_the_share() -> None:
    text = "nodes:\n  a: {op: conv, out: 8, kernel: 5}\n  b: {share: a, from: a}\n"
    (error,) = compile_text(Source("t.yaml", HEAD + text), Path()).diagnostics
    assert (error.code, error.line, error.node) == ("E204", 5, "b")
    assert "the module at t.yaml:4 runs again here" in error.notes
