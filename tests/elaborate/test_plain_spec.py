"""`show --resolved`, and the one file that a run keeps: the same network as the spec."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph.compilation import compile_spec
from cnngraph.graph.plain_spec import one_file, plain_spec

HEAD = "cnngraph: 1\ninput: [3, 8, 8]\n"
SHARED = """nodes:
  stem: {op: conv, out: 3, kernel: 1}
  first: {op: conv, from: in, out: 4, kernel: 1}
  second: {share: first, from: stem}
  third: {share: first, from: in}
  out: {op: add, from: [first, second, third]}
"""
SPECS = {
    "concatenations between the operations of a repeat": (
        "nodes: {a: {repeat: 3, carry: concat, op: conv, out: 2, kernel: 1}, b: {op: relu, from: a.1}, c: {op: conv,"
        " from: a, out: 2, kernel: 1}, d: {op: add, from: [b, c]}}",
        "",
    ),
    "concatenations between the blocks of a repeat": (
        "nodes: {a: {repeat: 3, carry: concat, nodes: [{op: conv, out: 2, kernel: 1}, relu]}}",
        "",
    ),
    "a concatenation after the operations of a flat repeat": (
        "blocks: {b: {nodes: {a: {repeat: 2, carry: concat, flat: true, op: conv, out: 2, kernel: 1}}}}\nnodes: {c: b, "
        "d: relu}",
        "",
    ),
    "no operation": ("nodes: {a: {op: relu, when: 1 == 2}}", ""),
    "an output that is one tensor of a list": ("nodes: {a: {op: chunk, chunks: 3}}\noutputs: {x: 'a[1]'}", ""),
    "other outputs than the base's": ("nodes: {a: relu, b: {op: conv, out: 2, kernel: 1}}", "outputs: {x: a}"),
    "other outputs, which need a module but not its node": (SHARED, "outputs: {x: second}"),
    "other outputs, and an unused use of a module that an unused layer needs for its shape": (
        SHARED + "  head: {op: conv, from: second, out: 2, kernel: 1}\n  end: {op: concat, from: [head, out]}\n",
        "outputs: {x: stem}",
    ),
    "a network whose part is read, which needs a module but not its node": (
        SHARED,
        "input: [3, 8, 8]\nnodes: {a: {net: base.yaml, until: third}, b: {op: relu, from: a.second}, c: {op: add, "
        "from: [a, b]}}",
    ),
}


@pytest.mark.parametrize(("base", "variant"), SPECS.values(), ids=SPECS)
def test_it_is_the_same_network(base: str, variant: str, tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(f"{HEAD}{base}\n")
    start = "" if "net:" in variant else "extends: base.yaml\n"
    (tmp_path / "net.yaml").write_text(f"cnngraph: 1\n{start}{variant}\n" if variant else f"{HEAD}{base}\n")
    compilation = compile_spec(tmp_path / "net.yaml")
    assert compilation.graph
    assert compilation.spec
    assert compilation.ok, compilation.diagnostics[0]
    model = cnngraph.build(compilation.graph).eval()
    images = torch.randn(2, 3, 8, 8)
    for text in (plain_spec(compilation.graph), one_file(compilation.spec, compilation.graph, None)):
        (tmp_path / "written.yaml").write_text(text)
        graph = cnngraph.load(tmp_path / "written.yaml")
        assert list(graph.state.items()) == list(compilation.graph.state.items())
        assert (graph.macs, list(graph.outputs)) == (compilation.graph.macs, list(compilation.graph.outputs))
        again = cnngraph.build(graph).eval()
        again.load_state_dict(model.state_dict())
        assert torch.equal(again(images), model(images))
