"""`write_spec`: one text without imports that compiles to the same network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cnngraph.compilation import Compilation, compile_spec, compile_text
from cnngraph.diagnostics import Source, Span
from cnngraph.document import value_of
from cnngraph.language.load import Override
from cnngraph.language.write import write_spec
from tests.cli.networks import ZOO
from tests.library import DATA, network, networks

EMPTY = Span(Source("test", ""), 1, 1, 1, 1)
CHANGED: list[tuple[Path, dict[str, Any]]] = [
    (DATA / "specs" / "efficientnet_b0.yaml", {"width": 1.1, "depth": 1.2, "head": "2 * $classes"}),
    (network("resnet_cifar"), {"bn": "before", "relu": "before", "join": "dropout_shortcut", "depth": 14}),
]


def facts(compilation: Compilation) -> list[object]:
    """Everything that defines a network."""
    assert compilation.ok, compilation.diagnostics
    graph = compilation.graph
    assert graph
    nodes = [
        (node.path, node.operation, node.reads, node.types, node.shares, node.training_only, node.unused)
        for node in graph.nodes
    ]
    scopes = [(scope.path, scope.kind) for scope in graph.scopes()]
    graph_facts = [
        graph.name,
        graph.about,
        graph.paper,
        graph.published,
        graph.input_shapes,
        graph.outputs,
        graph.training_only,
        graph.init,
    ]
    return [*graph_facts, nodes, scopes, dict(graph.renames), list(graph.state.items())]


def rewritten(compilation: Compilation, folder: Path) -> str:
    """The written text of a spec; asserts that it compiles to the same network without other files."""
    assert compilation.spec
    text = write_spec(compilation.spec)
    assert facts(compile_text(Source("written.yaml", text), folder)) == facts(compilation)
    return text


@pytest.mark.parametrize("path", networks())
def test_every_network_of_the_library(path: Path, tmp_path: Path) -> None:
    rewritten(compile_spec(path), tmp_path)


@pytest.mark.parametrize(("path", "params"), CHANGED, ids=lambda value: getattr(value, "stem", ""))
def test_changed_params_are_written(path: Path, params: dict[str, Any], tmp_path: Path) -> None:
    overrides = [Override(name, value_of(value, EMPTY)) for name, value in params.items()]
    rewritten(compile_spec(path, overrides), tmp_path)


def test_a_changed_input_is_written(tmp_path: Path) -> None:
    text = rewritten(compile_spec(network("cifar2_width"), input=value_of([3, 64, 64], EMPTY)), tmp_path)
    assert "\ninput: [3, 64, 64]\n" in text


def test_every_key_of_a_node_is_written(tmp_path: Path) -> None:
    text = rewritten(compile_text(Source("zoo.yaml", ZOO), tmp_path), tmp_path)
    assert write_spec(compiled(text, tmp_path)) == text


def compiled(text: str, folder: Path) -> Any:
    return compile_text(Source("written.yaml", text), folder).spec


def test_blocks_with_the_same_name_in_several_files(tmp_path: Path) -> None:
    folder = tmp_path / "specs"
    (folder / "inner").mkdir(parents=True)
    unit = "cnngraph: 1\nblocks: {{helper: {{op: conv, kernel: {}}}, {}: {{nodes: [{{op: helper, out: {}}}]}}}}\n"
    (folder / "inner" / "a.yaml").write_text(unit.format(1, "first", 5))
    (folder / "b.yaml").write_text(
        "cnngraph: 1\nimport: inner/a.yaml\nblocks:\n"
        "  second: {nodes: [{op: conv3, out: 2}, {op: first}]}\n  conv3: {op: conv, kernel: 3}\n"
    )
    (folder / "net.yaml").write_text(
        "cnngraph: 1\nimport: b.yaml\ninput: [1, 9, 9]\n"
        "blocks: {helper: {op: max_pool, kernel: 2}, first: relu}\nnodes: [helper, second, first]\n"
    )
    text = rewritten(compile_spec(folder / "net.yaml"), tmp_path)
    assert "import" not in text


@pytest.mark.parametrize(
    "about",
    [
        "",
        "a: b # c",
        "no",
        "1e3",
        "- x",
        "it's",
        'a "quoted" \\ text',
        "×–🙂",
        "tab\tnew\nline",
        "0x1F",
        "~",
        "\x1b[31m\x7f\u2028\x85\u202e\U000e0001",
    ],
)
def test_any_text_can_be_read_back(about: str, tmp_path: Path) -> None:
    spec = compiled("cnngraph: 1\ninput: [1, 2, 2]\nnodes: [relu]\n", tmp_path)
    object.__setattr__(spec, "about", about)
    assert compiled(write_spec(spec), tmp_path).about == about


def test_a_recipe_is_written(tmp_path: Path) -> None:
    spec = compiled("cnngraph: 1\ninput: [1, 2, 2]\nnodes: [relu]\n", tmp_path)
    recipe = {"data": "mnist", "epochs": 1, "optimizer": {"name": "adam", "eps": 1e-8, "lr": 1.0}}
    text = write_spec(spec, recipe)  # type: ignore[arg-type]
    assert compiled(text, tmp_path).train.plain() == recipe
