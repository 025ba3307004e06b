"""Corner cases of elaboration: the expanded graph, and one message per error."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.language.names import name_problem
from cnngraph.lint.run import Lint


def compiled(text: str) -> tuple[list[tuple[str, str, str]], list[tuple[str, int]]]:
    """The nodes as (path, inputs, shape), and the diagnostics as (code, column)."""
    result = compile_text(Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\n{text}"), Path())
    nodes = result.graph.nodes if result.graph else ()
    errors = [(diagnostic.code, diagnostic.column or 0) for diagnostic in result.diagnostics]
    return [(node.path, " ".join(node.inputs), "×".join(map(str, node.types[0].sizes))) for node in nodes], errors


GRAPHS = {
    "a flat iteration whose node is absent passes its input through": (
        "nodes: [{repeat: 1, nodes: [{op: relu, when: false}], carry: concat, flat: true}]",
        [("0.concat", "in in", "12×8×8")],
    ),
    "an absent node is its first input": (
        "nodes: {a: relu, b: {op: relu, when: false}, c: {op: add, from: [b, in]}}",
        [("a", "in", "6×8×8"), ("c", "a in", "6×8×8")],
    ),
    "an absent branch may have no value": (
        "nodes: {a: relu, b: {op: relu, when: 1 == 2, else: []}, c: {op: concat, from: [a, b]}}",
        [("a", "in", "6×8×8"), ("c", "a", "6×8×8")],
    ),
    "an absent node of a list takes no number": (
        "nodes: [relu, {op: relu, when: false}, tanh]",
        [("0", "in", "6×8×8"), ("1", "0", "6×8×8")],
    ),
    "a repeat of 0 passes its input through": (
        "nodes: {a: relu, b: {repeat: 0, op: relu}, c: tanh}",
        [("a", "in", "6×8×8"), ("c", "a", "6×8×8")],
    ),
    "a path may name a later node": (
        "nodes: {sum: {op: add, from: [in, late]}, late: {op: relu, from: in}, end: {op: tanh, from: sum}}",
        [("late", "in", "6×8×8"), ("sum", "in late", "6×8×8"), ("end", "sum", "6×8×8")],
    ),
    "an expression may use the shape of a later node": (
        "nodes: {a: {op: conv, from: in, out: $b.channels, kernel: 1}, "
        "b: {op: conv, from: in, out: 4, kernel: 1}, c: {op: add, from: [a, b]}}",
        [("b", "in", "4×8×8"), ("a", "in", "4×8×8"), ("c", "a b", "4×8×8")],
    ),
    "parallel iterations may each read another node": (
        "nodes: {p: {op: chunk, chunks: 2}, b: {repeat: 2, from: p.$i, op: relu, carry: none}, c: {op: add, from: b}}",
        [("p", "in", "3×8×8"), ("b.0", "p[0]", "3×8×8"), ("b.1", "p[1]", "3×8×8"), ("c", "b.0 b.1", "3×8×8")],
    ),
    "the input of a scope may be a list of one tensor": (
        "blocks: {all: {nodes: {a: {repeat: len($in), from: in.$i, op: relu, carry: none}, b: {op: add, from: a}}}}\n"
        "nodes: {one: all, c: {op: chunk, chunks: 2}, two: all}",
        [
            ("one.a.0", "in", "6×8×8"),
            ("one.b", "one.a.0", "6×8×8"),
            ("c", "one.b", "3×8×8"),
            ("two.a.0", "c[0]", "3×8×8"),
            ("two.a.1", "c[1]", "3×8×8"),
            ("two.b", "two.a.0 two.a.1", "3×8×8"),
        ],
    ),
    "a dense block is one key": (
        "nodes: {d: {repeat: 2, name: layer1, op: conv, out: 4, kernel: 1, carry: concat}}",
        [
            ("d.layer1", "in", "4×8×8"),
            ("d.layer2.in", "in d.layer1", "10×8×8"),
            ("d.layer2", "d.layer2.in", "4×8×8"),
            ("d.concat", "in d.layer1 d.layer2", "14×8×8"),
        ],
    ),
    "flat iterations continue the numbering of a list": (
        "nodes: [tanh, {repeat: 2, op: relu, flat: true}, sigmoid]",
        [("0", "in", "6×8×8"), ("1", "0", "6×8×8"), ("2", "1", "6×8×8"), ("3", "2", "6×8×8")],
    ),
    "the value of flat dense iterations has its own path": (
        "nodes: [{repeat: 2, op: conv, kernel: 1, out: 2, carry: concat, flat: true}, relu]",
        [
            ("0", "in", "2×8×8"),
            ("1.in", "in 0", "8×8×8"),
            ("1", "1.in", "2×8×8"),
            ("1.concat", "in 0 1", "10×8×8"),
            ("2", "1.concat", "10×8×8"),
        ],
    ),
    "flat at a use drops the level of a block that repeats": (
        "blocks: {stage: {params: {n: }, repeat: $n, op: relu}}\nnodes: [{op: stage, n: 2, flat: true}, tanh]",
        [("0", "in", "6×8×8"), ("1", "0", "6×8×8"), ("2", "1", "6×8×8")],
    ),
    "precedence: parameters < row < first < last": (
        "nodes: {a: {repeat: [{out: 2}, {out: 3}, {}], op: conv, out: 8, kernel: 1, first: {out: 4}, last: {out: 9}}}",
        [("a.0", "in", "4×8×8"), ("a.1", "a.0", "3×8×8"), ("a.2", "a.1", "9×8×8")],
    ),
    "a row can disable its iteration and pass another tensor": (
        "nodes: {z: relu, a: {repeat: 2, name: '0', op: tanh, first: {when: false, else: [z]}}}",
        [("z", "in", "6×8×8"), ("a.1", "z", "6×8×8")],
    ),
    "a container of dotted keys has a shape": (
        "nodes: {convs.a: {op: conv, out: 4, kernel: 1}, b: {op: conv, out: 2 * $convs.a.channels, kernel: 1}}",
        [("convs.a", "in", "4×8×8"), ("b", "convs.a", "8×8×8")],
    ),
    "leading zeros of a name are kept": (
        "nodes: {b: {repeat: 2, name: layer09, op: relu}}",
        [("b.layer09", "in", "6×8×8"), ("b.layer10", "b.layer09", "6×8×8")],
    ),
    "a path may name a node inside a block": (
        "nodes: {a: {nodes: {x: relu, y: tanh}}, b: {op: add, from: [a.x, a]}}",
        [("a.x", "in", "6×8×8"), ("a.y", "a.x", "6×8×8"), ("b", "a.x a.y", "6×8×8")],
    ),
    "a shared module runs again": (
        "nodes: {a: {op: conv, out: 6, kernel: 1}, b: {share: a}}",
        [("a", "in", "6×8×8"), ("b", "a", "6×8×8")],
    ),
}


@pytest.mark.parametrize("name", GRAPHS)
def test_the_expanded_graph(name: str) -> None:
    text, expected = GRAPHS[name]
    nodes, errors = compiled(text)
    assert errors == []
    assert nodes == expected


ERRORS = {
    "nodes: {a: {op: relu, else: in}}": [("E109", 29)],
    "nodes: {a: {op: relu, unused: yes}}": [("E109", 31)],
    "nodes: {d: {op: relu, carry: concat}}": [("E109", 30)],
    "nodes: {b: {nodes: [relu], out: 3}}": [("E110", 28)],
    "nodes: {b: {nodes: {x: {op: relu, from: in.1}}}}": [("E301", 41)],
    "nodes: {a: {repeat: [{out: 8, expect: 3}], op: conv, kernel: 1}}": [("E205", 39)],
    "nodes: {f: [{op: conv, kernel: 1}, {op: add, from: [0, in]}]}": [("E206", 13)],
    "nodes: {body: {nodes: {conv.$i: relu}}}": [("E402", 29)],
    "nodes: {forward: relu, class: relu}": [("E302", 9), ("E302", 24)],
    "nodes: [{op: relu, flat: true}]": [("E109", 9)],
    "nodes: {a: {op: chunk, chunks: 2}, b: {repeat: len($from), from: a.$i, op: relu, carry: none}}": [("E402", 52)],
    "nodes: {a: {op: chunk, chunks: 2, when: false, else: []}, b: {op: relu, from: in}, c: {op: relu, from: a.0}}": [
        ("E304", 104)
    ],
    "import: [nothing.yaml]\nnodes: [some_block]": [("E311", 10)],
    "init: [{match: conv, bias: xavier_uniform}]\nnodes: [{op: conv, out: 3, kernel: 1}]": [("E703", 22)],
    "nodes: {a: {op: conv, from: b, out: 3, kernel: 1}, b: relu}": [("E315", 9)],
    "blocks: {relu: tanh}\nnodes: [relu]": [("E308", 10)],
    "blocks: {a: {nodes: [b]}, b: {nodes: [a]}}\nnodes: [a]": [("E306", 10)],
}


@pytest.mark.parametrize("text", ERRORS)
def test_each_error_is_reported_once(text: str) -> None:
    assert compiled(text)[1] == ERRORS[text]


def test_an_error_in_a_block_is_reported_once_with_its_first_use() -> None:
    text = (
        "blocks: {b: {nodes: [{op: conv, out: 4, kernel: 9, padding: 0}]}}\nnodes: {x: {op: b, repeat: 3, carry: none}}"
    )
    result = compile_text(Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\n{text}"), Path())
    (errors,) = result.diagnostics
    assert errors.code == "E204"
    assert any("in block `b`, used as `x.0`" in note for note in errors.notes)


def test_a_node_that_shares_has_its_own_line() -> None:
    text = "nodes:\n  a: {op: conv, out: 6, kernel: 1}\n  b: {share: a}\n  c: {nodes: [relu]}\n  d: {share: c}"
    graph = compile_text(Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\n{text}"), Path()).graph
    assert graph is not None
    assert [(node.path, node.line) for node in graph.nodes][:2] == [("a", 4), ("b", 5)]
    assert [scope.span.line for scope in graph.scopes()][1:] == [6, 7]


def test_two_imported_blocks_of_one_name_are_an_error(tmp_path: Path) -> None:
    for name in ("one", "two"):
        (tmp_path / f"{name}.yaml").write_text("cnngraph: 1\nblocks: {unit: {nodes: [relu]}}\n")
    text = "cnngraph: 1\ninput: [6, 8, 8]\nimport: [one.yaml, two.yaml]\nnodes: [unit]\n"
    errors = compile_text(Source("t.yaml", text), tmp_path).diagnostics
    assert [error.code for error in errors] == ["E308"]


@pytest.mark.parametrize(
    ("name", "better"),
    [
        ("my+conv", "my_conv"),
        ("2x", "x2x"),
        ("9lives", "x9lives"),
        ("train", "train_"),
        ("größe_é", "grosse_e"),
        ("卷积", "node"),
        ("a" * 80 + "b" * 21, "a" * 50 + "a" * 29 + "b" * 21),
    ],
)
def test_a_valid_node_name_is_suggested(name: str, better: str) -> None:
    text = f"cnngraph: 1\ninput: [6, 8, 8]\nnodes: {{{name}: relu}}"
    (errors,) = compile_text(Source("t.yaml", text), Path()).diagnostics
    assert errors.help == f"rename it, for example to `{better}`"
    assert errors.fixes == ()  # no other change gives it a good name
    assert name_problem(better) is None


@pytest.mark.parametrize(("name", "better"), [("my-param", "my_param"), ("$x", "x"), ("when", "when_"), ("2x", "x2x")])
def test_a_valid_param_name_is_suggested(name: str, better: str) -> None:
    text = f"cnngraph: 1\ninput: [6, 8, 8]\nparams: {{{name}: 1}}\nnodes: [relu]"
    (errors,) = compile_text(Source("t.yaml", text), Path()).diagnostics
    assert (errors.code, errors.help) == ("E108", f"rename it, for example to `{better}`")


def test_an_init_rule_for_a_failed_node_is_no_error() -> None:
    text = "init: [{match: conv, bias: 0}]\nnodes: [{op: conv, out: 3, kernel: 1, pading: 2}]"
    assert [code for code, _ in compiled(text)[1]] == ["E207"]


def test_an_inherited_init_rule_may_match_nothing(tmp_path: Path) -> None:
    base = "cnngraph: 1\ninput: [6, 8, 8]\nblocks: {norm: {op: batch_norm}}\nnodes: [norm]\ninit:\n"
    rule = "  - {match: batch_norm, weight: 0}\n"
    (tmp_path / "base.yaml").write_text(base + rule)
    variant = "cnngraph: 1\nextends: base.yaml\nblocks: {norm: {op: relu}}\n"
    assert compile_text(Source("variant.yaml", variant), tmp_path).diagnostics == ()
    (errors,) = Lint().run(compile_text(Source("variant.yaml", f"{variant}init:\n{rule}"), tmp_path)).diagnostics
    assert (errors.code, errors.line) == ("W701", 5)


@pytest.mark.parametrize(
    ("word", "help"),
    [
        ("out: width", "did you mean `$width`?"),
        ("out: in.channels", "did you mean `$in.channels`?"),
        ("out: stem.channels", "did you mean `$stem.channels`?"),
        ("out: wide", None),
        ("out: 8, padding: haf", "did you mean `half`?"),
    ],
)
def test_a_missing_dollar_sign_is_suggested(word: str, help: str | None) -> None:
    nodes = f"nodes: {{stem: relu, conv: {{op: conv, {word}, kernel: 1}}}}"
    text = f"cnngraph: 1\ninput: [6, 8, 8]\nparams: {{width: 8}}\n{nodes}"
    (errors,) = compile_text(Source("t.yaml", text), Path()).diagnostics
    assert (errors.code, errors.help) == ("E205", help)


@pytest.mark.parametrize(
    ("nodes", "help"),
    [
        ("{a: {op: conv, out_channels: 3, kernel_size: 1}}", "did you mean `out`?"),
        ("{a: {op: fc, out: 3}}", "did you mean `linear`?"),
        ("{a: AvgPool2d}", "did you mean `avg_pool`?"),
        ("{a: ReLU}", "did you mean `relu`?"),
        ("{a: {op: conv, out: 8, kernel: 3, bias: no}}", "write `false`"),
        ("{a: relu, b: {op: tanh, form: a}}", "did you mean `from`?"),
        ("[{a: relu}]", "nodes in a list have no names: remove `a`, or write `nodes` as a mapping"),
        ("[{a: {op: relu}}]", "nodes in a list have no names: remove `a`, or write `nodes` as a mapping"),
        ("[{conv: {out: 8, kernel: 3}}]", "write the op as the value of `op`, next to its parameters: `{op: conv, …}`"),
        ("{a: {linear: 10}}", "write the op as the value of `op`, next to its parameters: `{op: linear, …}`"),
        ("{a: {op: conv, out: 8, kernel: (3, 3)}}", "write a list: `kernel: [3, 3]`"),
    ],
)
def test_spellings_of_other_libraries_are_recognised(nodes: str, help: str) -> None:
    errors = compile_text(Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\nnodes: {nodes}"), Path()).diagnostics
    assert errors[0].help == help


def test_an_unread_node_names_the_absent_node_that_would_read_it() -> None:
    nodes = "{bn: relu, add: {op: add, from: [in, bn], when: 1 == 2}}"
    (errors,) = compile_text(Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\nnodes: {nodes}"), Path()).diagnostics
    assert (errors.code, errors.node) == ("E316", "bn")
    assert errors.notes == ("`add` at t.yaml:3, which would read it, is absent and passes `in` through",)


@pytest.mark.parametrize("rows", ["repeat: [{else: a}, {}]", "repeat: 2, last: {else: a}"])
def test_an_else_of_an_iteration_needs_a_when(rows: str) -> None:
    _, errors = compiled(f"nodes: {{a: relu, b: {{op: tanh, {rows}}}}}")
    assert [code for code, _ in errors] == ["E109"]


@pytest.mark.parametrize(
    "text",
    [
        "params: {x: 0}\nnodes: [prelu]\ninit: [{match: prelu, weight: {normal: {std: '$x * sum(range(9000))'}}}]",
        "nodes: {a: {repeat: 170, op: conv, out: 1, kernel: 1, carry: concat}}\n"
        "init: [{match: conv, weight: {normal: {std: 0.1}}}]",
        "nodes: {n0: relu, a: tanh}\noutputs: {x: 'n${sum(range(9000)) * 0}', y: a}",
    ],
    ids=["init", "init after the walk", "outputs"],
)
def test_the_step_limit_also_covers_init_and_outputs(text: str) -> None:
    source = Source("t.yaml", f"cnngraph: 1\ninput: [6, 8, 8]\n{text}")
    (errors,) = compile_text(source, Path(), max_nodes=100 if "repeat" not in text else 345).diagnostics
    assert errors.code == "E502"
    assert not errors.notes


@pytest.mark.parametrize("use", ["b", "{op: b}", "{repeat: 2, op: b}"])
@pytest.mark.parametrize("body", ["op: relu", "nodes: [relu]", ""])
@pytest.mark.parametrize("key", ["from: in", "unused: true", "expect: [3, 8, 8]", "share: a"])
def test_keys_of_a_use_are_rejected_in_a_block_definition(tmp_path: Path, key: str, body: str, use: str) -> None:
    words = ", ".join(filter(None, (body, key)))
    spec = tmp_path / "net.yaml"
    spec.write_text(f"cnngraph: 1\ninput: [3, 8, 8]\nblocks:\n  b: {{{words}}}\nnodes:\n  a: relu\n  c: {use}\n")
    diagnostics = cnngraph.check(spec)
    assert diagnostics
    assert {diagnostic.line for diagnostic in diagnostics} == {4}
    assert {diagnostic.code for diagnostic in diagnostics} <= {"E107", "E109"}
