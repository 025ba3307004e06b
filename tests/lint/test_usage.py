"""W320: a param that is never used is a warning."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec
from cnngraph.diagnostics import Source, Span
from cnngraph.document import value_of
from cnngraph.language.load import Override
from cnngraph.lint.run import Lint

HEAD = "cnngraph: 1\ninput: [3, 8, 8]\n"
BASE = HEAD + "params: {activation: relu, spare: 1}\nnodes: [{op: conv, out: 4, kernel: 1}, $activation]\n"


def reported(tmp_path: Path, text: str, **params: object) -> list[tuple[str, int | None, str]]:
    """The code, line and message of each diagnostic of a file next to base.yaml."""
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    overrides = []
    for name, value in params.items():
        shown = f"--set {name}={value}"
        overrides.append(Override(name, value_of(value, Span(Source("command line", shown), 1, 1, 1, len(shown) + 1))))
    compilation = Lint().run(compile_spec(path, overrides))
    assert compilation.ok
    return [(diagnostic.code, diagnostic.line, diagnostic.message) for diagnostic in compilation.diagnostics]


USED = {
    "in a parameter": "params: {x: 4}\nnodes: [{op: conv, out: $x, kernel: 1}]",
    "as an op": "params: {x: relu}\nnodes: [$x]",
    "in when": "params: {x: true}\nnodes: [relu, {op: tanh, when: $x}]",
    "in else": "params: {x: 0}\nnodes: {n0: relu, b: {op: tanh, when: false, else: n$x}, c: relu}",
    "in repeat": "params: {x: 2}\nnodes: [{op: relu, repeat: $x}]",
    "in a row": "params: {x: 2}\nnodes: [{op: conv, kernel: 1, repeat: [{out: $x}]}]",
    "in first": "params: {x: 2}\nnodes: [{op: conv, kernel: 1, out: 4, repeat: 2, first: {out: $x}}]",
    "in a name": "params: {x: 2}\nnodes: {conv$x: relu}",
    "in the name of iterations": "params: {x: 2}\nnodes: [{op: relu, repeat: 2, name: 'r$x'}]",
    "in from": 'params: {x: 2}\nnodes: {n2: relu, b: {op: tanh, from: "n${$x}"}}',
    "in share": 'params: {x: 2}\nnodes: {n2: prelu, b: {share: "n${$x}"}}',
    "in expect": "params: {x: 8}\nnodes: [{op: relu, expect: [_, $x, _]}]",
    "in another param": "params: {x: 8, y: $x * 2}\nnodes: [{op: conv, out: $y, kernel: 1}]",
    "in init": "params: {x: 0.1}\nnodes: [prelu]\ninit: [{match: prelu, weight: {normal: {std: $x}}}]",
    "in outputs": "params: {x: 0}\nnodes: [relu]\noutputs: {y: $x}",
    "in a block": "params: {x: 4}\nblocks: {b: {op: conv, out: $x, kernel: 1}}\nnodes: [b]",
    "in a block's param": "params: {x: 4}\nblocks: {b: {params: {o: $x}, op: conv, out: $o, kernel: 1}}\nnodes: [b]",
    "in inline nodes": "params: {x: 4}\nnodes: [[{op: conv, out: $x, kernel: 1}]]",
}


@pytest.mark.parametrize("text", USED.values(), ids=USED)
def test_a_used_param_is_no_warning(tmp_path: Path, text: str) -> None:
    assert reported(tmp_path, HEAD + text) == []


def test_a_param_in_the_input_is_used(tmp_path: Path) -> None:
    assert reported(tmp_path, "cnngraph: 1\ninput: [3, $x, 8]\nparams: {x: 8}\nnodes: [relu]\n") == []


UNUSED = {
    "of a network": "params: {x: 4}\nnodes: [relu]",
    "of a block": "blocks: {b: {params: {x: 4}, nodes: [relu]}}\nnodes: [b]",
    "hidden by a block's": "params: {x: 4}\nblocks: {b: {params: {x: 2}, op: conv, out: $x, kernel: 1}}\nnodes: [b]",
    "used without its $": "params: {x: 4}\nnodes: {x: relu}",
}


@pytest.mark.parametrize("text", UNUSED.values(), ids=UNUSED)
def test_an_unused_param_is_a_warning(tmp_path: Path, text: str) -> None:
    ((code, line, _),) = reported(tmp_path, HEAD + text)
    assert (code, line) == ("W320", 3)


def test_an_unused_param_of_a_variant_gets_a_suggestion(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(BASE, encoding="utf-8")
    (tmp_path / "net.yaml").write_text("cnngraph: 1\nextends: base.yaml\nparams: {act: silu}\n", encoding="utf-8")
    (warning,) = Lint().run(compile_spec(tmp_path / "net.yaml")).diagnostics
    assert (warning.code, warning.line, warning.help) == ("W320", 3, "did you mean `activation`?")
    assert warning.notes == ("the spec that this one extends has no param of that name",)


def test_a_param_may_be_used_by_a_variant_only(tmp_path: Path) -> None:
    assert reported(tmp_path, "cnngraph: 1\nextends: base.yaml\nparams: {activation: 'relu', spare: 2}\n") == [
        ("W320", 3, "the param `spare` is never used")
    ]
    assert [diagnostic.code for diagnostic in Lint().run(compile_spec(tmp_path / "base.yaml")).diagnostics] == ["W320"]
    variant = "cnngraph: 1\nextends: base.yaml\nparams: {activation: \"'relu' if $spare == 1 else 'tanh'\"}\n"
    assert reported(tmp_path, variant) == []
    assert Lint().run(compile_spec(tmp_path / "base.yaml")).diagnostics == ()


def test_setting_an_unused_param_is_a_warning(tmp_path: Path) -> None:
    variant = "cnngraph: 1\nextends: base.yaml\n"
    assert reported(tmp_path, variant) == []
    assert reported(tmp_path, variant, spare=2) == [("W320", 1, "`spare` is set but never used")]
    assert reported(tmp_path, variant, activation="tanh") == []


# -- blocks that an import would replace

LIBRARIES = {"lib.yaml": "blocks: {unit: tanh}", "other.yaml": "blocks: {unit: sigmoid}"}


@pytest.mark.parametrize(
    ("base", "variant", "codes"),
    [
        ("blocks: {unit: relu}", "import: [lib.yaml]", ["E308"]),
        ("blocks: {unit: relu}", "import: [lib.yaml]\nblocks: {unit: sigmoid}", []),
        ("import: [lib.yaml]", "import: [lib.yaml]", []),
        ("import: [lib.yaml]", "import: [other.yaml]", ["E308"]),
        ("import: [lib.yaml]", "blocks: {unit: relu}", []),
        ("blocks: {unit: relu}", "blocks: {unit: tanh}", []),
    ],
)
def test_an_import_that_would_replace_an_inherited_block_is_an_error(
    tmp_path: Path, base: str, variant: str, codes: list[str]
) -> None:
    for name, text in LIBRARIES.items():
        (tmp_path / name).write_text(f"cnngraph: 1\n{text}\n", encoding="utf-8")
    (tmp_path / "base.yaml").write_text(f"{HEAD}{base}\nnodes: [unit]\n", encoding="utf-8")
    (tmp_path / "net.yaml").write_text(f"cnngraph: 1\nextends: base.yaml\n{variant}\n", encoding="utf-8")
    assert [diagnostic.code for diagnostic in compile_spec(tmp_path / "net.yaml").diagnostics] == codes


def test_overriding_the_only_user_of_a_param_is_no_warning(tmp_path: Path) -> None:
    text = HEAD + "params: {width: 2, out: 2 * $width}\nnodes: [{op: conv, out: $out, kernel: 1}]\n"
    assert reported(tmp_path, text) == []
    assert reported(tmp_path, text, out=3) == []
    assert reported(tmp_path, text, out=3, width=4) == [("W320", 1, "`width` is set but never used")]
