"""`cnngraph ops`, `cnngraph list --blocks` and `cnngraph show` of a block library."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cnngraph.blocks import bundled_libraries
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.fields import fields_of
from cnngraph.library import block_files
from cnngraph.ops.registry import builtin_ops
from tests.cli.conftest import Cli
from tests.ops.test_registry import PLUGIN

BLOCKS = [
    pytest.param(library.name, block, id=block.name) for library in bundled_libraries() for block in library.blocks
]


def test_every_op_is_listed(cli: Cli) -> None:
    ran = cli("ops")
    assert (ran.code, ran.err) == (0, "")
    named = [line.split()[0] for line in ran.out.splitlines() if line.startswith("  ")]
    assert named == list(builtin_ops())
    assert f"{len(named)} ops · " in ran.out


@pytest.mark.parametrize("name", builtin_ops())
def test_the_manual_of_an_op(cli: Cli, name: str) -> None:
    op = builtin_ops()[name]
    ran = cli("ops", name)
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0] == name
    starts = [line.split()[0] for line in lines if line.startswith("  ") and line[2] != " "]
    assert [start for start in starts if start in fields_of(op)] == list(fields_of(op))
    assert sum(line.startswith(f"{{op: {name}") for line in lines) == len(op.examples)
    assert max(map(len, lines)) <= 110


def test_unknown_ops(cli: Cli) -> None:
    for name, help in (
        ("Conv2d", "its name here is conv"),
        ("max_pol", "did you mean `max_pool`?"),
        ("xyzzy", "lists"),
    ):
        ran = cli("ops", "relu", name)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith(f"error: unknown op {name}: ")
        assert help in ran.err


def test_ops_of_a_plugin(cli: Cli, folder: Path) -> None:
    (folder / "plugged.py").write_text(PLUGIN)
    assert cli("ops", "shrink").code == 1
    ran = cli("ops", "shrink", "--plugin", "plugged")
    assert (ran.code, ran.out.splitlines()[0]) == (0, "shrink")


@pytest.mark.parametrize("name", [name for file in block_files() for name in (file, file.removesuffix(".yaml"))])
def test_bundled_block_library(cli: Cli, folder: Path, name: str) -> None:
    ran = cli("show", name)
    assert (ran.code, ran.err) == (0, "")
    library = name.removesuffix(".yaml") + ".yaml"
    assert ran.out.startswith(f"{library} · a library of ")
    assert f"import: [{library}]\n" in ran.out
    (printed,) = json.loads(cli("show", name, "--format", "json").out)
    assert printed["name"] == library
    for block in printed["blocks"]:
        assert f"\n{block['name']}\n" in ran.out
        for param, default in block["params"].items():
            assert f"{param} " in ran.out
            assert (default or "required") in ran.out
    assert cli("check", name).code == 0
    assert cli("show", name, "--depth", 1).code == 2


# They give a constant, which is no output of a network, or read a tensor with more axes than an input has; see
# tests/specs/test_attention_blocks.py.
WITHOUT_EXAMPLE = {("blocks/attention.yaml", name) for name in ("relative_logits", "sincos_position", "window_mask")}


@pytest.mark.parametrize(("library", "block"), BLOCKS)
def test_block_example_compiles(folder: Path, library: str, block: object) -> None:
    example = block.example  # type: ignore[attr-defined]
    if (library, block.name) in WITHOUT_EXAMPLE:  # type: ignore[attr-defined]
        assert not example
        return
    assert example, "no use of the block compiles"
    text = (
        f"{{cnngraph: 1, input: {list(example.reads)}, import: [{library}], "
        f"nodes: {{x: identity, block: {example.node}}}}}"
    )
    compilation = compile_text(Source("net.yaml", text), folder)
    assert compilation.ok
    assert compilation.graph
    assert tuple(compilation.graph.output_shapes.values()) == example.gives
    assert compilation.graph.num_params == example.num_params


def test_user_block_library(cli: Cli, folder: Path) -> None:
    (folder / "mine.yaml").write_text(
        "{cnngraph: 1, about: Mine., blocks: {head: {params: {classes: , act: relu}, "
        "nodes: [$act, global_avg_pool, {op: linear, out: $classes}]}, odd: {params: {x: }, op: scale, factor: $x.a}}}"
    )
    ran = cli("show", "mine.yaml")
    assert (ran.code, ran.err) == (0, "")
    assert "import: [mine.yaml]" in ran.out
    assert "{op: head, classes: 64}" in ran.out
    assert "64×32×32 → 64, 4,160 parameters" in ran.out
    (library,) = json.loads(cli("show", "mine.yaml", "--format", "json").out)
    head, odd = library["blocks"]
    assert head["params"] == {"classes": None, "act": "relu"}
    assert odd["example"] is None


def test_blocks_are_listed(cli: Cli) -> None:
    ran = cli("list", "--blocks")
    assert (ran.code, ran.err) == (0, "")
    named = [line.split()[0] for line in ran.out.splitlines()[1:-2]]
    assert named == [param.id for param in BLOCKS]
    ran = cli("list", "--blocks", "conv*", "basic")
    assert [line.split()[0] for line in ran.out.splitlines()[1:-2]] == [
        "conv_bn_act",
        "conv_bn",
        "conv1x1",
        "conv3x3",
        "basic",
        "conv_shortcut",
    ]
    printed = json.loads(cli("list", "--blocks", "squeeze", "--format", "json").out)
    assert [(library["name"], [block["name"] for block in library["blocks"]]) for library in printed] == [
        ("blocks/squeeze_excite.yaml", ["squeeze_excite"])
    ]
    ran = cli("list", "--blocks", "squeze_excite")
    assert (ran.code, ran.out) == (1, "")
    assert "did you mean `squeeze_excite`?" in ran.err


def test_name_of_a_block_library_is_suggested(cli: Cli) -> None:
    ran = cli("show", "residual")
    assert ran.code == 1
    assert "did you mean `blocks/residual`, the block library?" in ran.err
