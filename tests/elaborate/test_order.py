"""The order of elaboration: a path may name a later node, and only nodes that are really read make a cycle."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"


def order(text: str) -> str:
    """The paths of the nodes in execution order, or the codes of the errors."""
    result = compile_text(Source("t.yaml", HEAD + text), Path())
    if result.diagnostics:
        return " ".join(diagnostic.code for diagnostic in result.diagnostics)
    assert result.graph is not None
    return " ".join(node.path for node in result.graph.nodes)


FINE = {
    "names with a common prefix": (
        "nodes: {a1: relu, a2: relu, l: {op: identity, repeat: 2, from: 'a${$i + 1}', carry: none}, "
        "c: {op: concat, from: l}, average: global_avg_pool}",
        "a1 a2 l.0 l.1 c average",
    ),
    "numbered nodes beyond those read": (
        "nodes: {r0: relu, r1: relu, f: {op: identity, repeat: 2, from: r$i, carry: none}, "
        "c: {op: concat, from: f}, r2: relu}",
        "r0 r1 f.0 f.1 c r2",
    ),
    "names from a list": (
        "nodes: {f: {op: relu, from: $item, repeat: [b, c], carry: none}, b: {op: relu, from: in}, "
        "c: tanh, d: {op: add, from: f}}",
        "b c f.0 f.1 d",
    ),
    "names from a param": (
        "params: {which: [2, 1]}\nnodes: {f: {op: relu, repeat: len($which), from: 'r${$which[$i]}', carry: none}, "
        "s: {op: add, from: f}, r1: {op: relu, from: in}, r2: tanh, r3: {op: add, from: [r2, s]}}",
        "r1 r2 f.0 f.1 s r3",
    ),
    "a number of iterations that depends on a node": (
        "nodes: {h: {op: chunk, chunks: 2}, f: {op: identity, repeat: len($h), from: r$i, carry: none}, "
        "c: {op: add, from: f}, r0: {op: relu, from: h.0}, r1: {op: relu, from: h.1}, r2: {op: relu, from: c}}",
        "h r0 r1 f.0 f.1 c r2",
    ),
    "a flat node that contains a node of the reader's name": (
        "nodes: {f: {flat: true, nodes: {a: {op: relu, repeat: 1}}}, a: {op: tanh, from: a.0, repeat: 2, flat: true}}",
        "a.0 0 1",
    ),
    "a path that depends on a shape": (
        "nodes: {f: {op: relu, from: 'r${$h.channels}'}, h: {op: conv, out: 4, kernel: 1, from: in}, r4: tanh, "
        "r5: {op: tanh, from: f}}",
        "h r4 f r5",
    ),
    "an else that is not needed": (
        "params: {on: true}\nnodes: {a: {op: relu, from: in, when: $on, else: c}, c: {op: tanh, from: a}}",
        "a c",
    ),
    "a size that is not computed": (
        "params: {on: false}\nnodes: {a: {op: conv, kernel: 1, from: in, out: '$c.channels if $on else 8'}, "
        "c: {op: tanh, from: a}}",
        "a c",
    ),
    "a condition that ends early": (
        "nodes: {a: {op: relu, from: in, when: 'true or $c.channels > 2'}, c: {op: tanh, from: a}}",
        "a c",
    ),
    "an else that is a later node": (
        "params: {on: false}\nnodes: {a: {op: relu, from: in, when: $on, else: c}, c: {op: tanh, from: in}, "
        "d: {op: add, from: [a, c]}}",
        "c d",
    ),
    "the size of a later node": (
        "params: {on: true}\nnodes: {a: {op: conv, kernel: 1, from: in, out: '$c.channels if $on else 8'}, "
        "c: {op: tanh, from: in}, d: {op: add, from: [a, c]}}",
        "c a d",
    ),
    "an else of an iteration that is a later node": (
        "nodes: {a: {op: relu, from: in, repeat: 2, name: '0', first: {when: false, else: c}}, "
        "c: {op: tanh, from: in}, d: {op: add, from: [a, c]}}",
        "c a.1 d",
    ),
    "an else of a row that is a later node": (
        "nodes: {a: {op: relu, from: in, repeat: [{when: false, else: c}, {}], name: '0'}, c: {op: tanh, from: in}, "
        "d: {op: add, from: [a, c]}}",
        "c a.1 d",
    ),
    "sharing a later node": (
        "nodes: {a: {share: c, from: in}, c: {op: conv, out: 8, kernel: 1, from: in}, d: {op: add, from: [a, c]}}",
        "c a d",
    ),
    "every iteration's own node, inside another repeat": (
        "nodes: {s: {repeat: 2, nodes: {l: {op: relu, repeat: 2, from: a$i, carry: none}, a0: {op: relu, from: in}, "
        "a1: {op: tanh, from: in}, c: {op: concat, from: l}}}}",
        " ".join(f"s.{number}.{name}" for number in (0, 1) for name in ("a0", "a1", "l.0", "l.1", "c")),
    ),
    "iterations whose number is known and whose rows are not": (
        "nodes: {l: {op: conv, kernel: 1, repeat: [{out: $h.channels}, {out: 3}], from: a$i, carry: none}, "
        "c: {op: concat, from: l}, a0: {op: relu, from: in}, a1: tanh, h: tanh, ax: {op: relu, from: c}, "
        "z: {op: concat, from: [h, ax]}}",
        "a0 a1 h l.0 l.1 c ax z",
    ),
    "an index that depends on a shape": (
        "nodes: {f: {op: relu, from: 'r[$h.channels - 4]'}, h: {op: conv, out: 4, kernel: 1, from: in}, "
        "r: {op: chunk, chunks: 2, from: in}, z: {op: concat, from: [f, h, r]}}",
        "h r f z",
    ),
}

CYCLES = {
    "direct": "nodes: {a: {op: relu, from: c}, b: relu, c: tanh}",
    "through itself": "nodes: {a: {op: relu, from: a}}",
    "by number": "nodes: {r0: relu, f: {op: identity, repeat: 2, from: r$i, carry: none}, r1: {op: add, from: f}}",
    "by an else that is needed": "nodes: {a: {op: relu, from: in, when: false, else: c}, c: {op: tanh, from: a}}",
    "by a size that is computed": (
        "params: {on: true}\nnodes: {a: {op: conv, kernel: 1, from: in, out: '$c.channels if $on else 8'}, "
        "c: {op: tanh, from: a}}"
    ),
    "by a size": "nodes: {a: {op: conv, kernel: 1, from: in, out: $c.channels}, c: {op: tanh, from: a}}",
}


def test_an_index_in_a_carried_input_is_unknown_rather_than_a_cycle() -> None:
    """The carried input is read once, outside the iterations, so it has no `$i`, and names no node below."""
    assert order("nodes: {a0: relu, f: {op: relu, repeat: 2, from: a$i}, a1: {op: relu, from: f}}") == "E402"


@pytest.mark.parametrize(("text", "expected"), FINE.values(), ids=FINE)
def test_specs_without_a_cycle(text: str, expected: str) -> None:
    assert order(text) == expected


@pytest.mark.parametrize("text", CYCLES.values(), ids=CYCLES)
def test_cycles(text: str) -> None:
    assert order(text) == "E315"


@pytest.mark.parametrize("above", ["b: relu", "f: {flat: true, nodes: {b: relu}}"])
def test_a_node_that_reads_itself_is_reported_as_such(above: str) -> None:
    for paths in ("[b, x]", "[b, x.0]"):
        nodes = f"nodes: {{{above}, x: {{op: add, from: {paths}}}}}"
        (error,) = compile_text(Source("t.yaml", HEAD + nodes), Path()).diagnostics
        assert (error.code, error.message) == ("E315", "`x` reads itself")
