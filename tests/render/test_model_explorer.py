"""The JSON for Model Explorer: all operations, tensors and modules, in the fields that it reads."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnngraph import load
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.render import Settings, draw, render
from tests.library import networks
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of
from tests.render.test_errors import BLOCK
from tests.render.test_strangers import NASTY, renamed

FIELDS = {"id", "label", "namespace", "attrs", "incomingEdges", "outputsMetadata"}  # of GraphNode
Edges = Counter[tuple[str, str, str, str]]


def written(graph: Graph, **settings: Any) -> dict[str, Any]:
    """The only graph in a file, whose fields have the types that Model Explorer expects."""
    collection = json.loads(draw(graph, "model-explorer", Settings(**settings)))
    assert collection.keys() == {"label", "graphs"}
    (found,) = collection["graphs"]
    assert found.keys() == {"id", "nodes", "groupNodeAttributes"}
    for node in found["nodes"]:
        assert FIELDS <= node.keys() <= FIELDS | {"inputsMetadata", "style"}
        check_texts(node)
    check_texts(found["groupNodeAttributes"])
    result: dict[str, Any] = found
    return result


def check_texts(value: object) -> None:
    """Model Explorer takes texts only, numbers of outputs included."""
    if isinstance(value, dict):
        for item in value.values():
            check_texts(item)
    elif isinstance(value, list):
        for item in value:
            check_texts(item)
    else:
        assert isinstance(value, str)


def edges_of(found: dict[str, Any]) -> Edges:
    """Source, number of its output, reader and number of its input, for every tensor that is read."""
    return Counter(
        (edge["sourceNodeId"], edge["sourceNodeOutputId"], node["id"], edge["targetNodeInputId"])
        for node in found["nodes"]
        for edge in node["incomingEdges"]
    )


def check_complete(graph: Graph, found: dict[str, Any]) -> None:
    """The file has the nodes and edges of the graph that `to_networkx` returns, and no others."""
    ids = {f"input:{name}": f"input:{place}" for place, name in enumerate(graph.inputs)}
    ids |= {f"output:{name}": f"output:{place}" for place, name in enumerate(graph.outputs)}
    network = graph.to_networkx()
    assert Counter(node["id"] for node in found["nodes"]) == Counter(ids.get(key, key) for key in network.nodes)
    expected: Edges = Counter(
        (ids.get(tail, tail), str(facts["tensor"]), ids.get(head, head), str(facts["position"]))
        for tail, head, facts in network.edges(data=True)
    )
    assert edges_of(found) == expected
    nodes = {node["id"]: node for node in found["nodes"]}
    assert all(node["label"].isascii() for node in found["nodes"])
    for node in graph.nodes:
        assert nodes[node.path]["namespace"] == "/".join(node.path.split(".")[:-1])
        shapes = [item["attrs"] for item in nodes[node.path]["outputsMetadata"]]
        assert shapes == [[{"key": "tensor_shape", "value": str(type_).replace("×", "x")}] for type_ in node.types]
    groups = {node["namespace"] for node in found["nodes"]}
    assert groups <= found["groupNodeAttributes"].keys()


@pytest.mark.parametrize("text", [INCEPTION, RESIDUAL, DENSE, PARTS, SKIPS])
def test_small_networks_are_complete(text: str) -> None:
    check_complete(graph_of(text), written(graph_of(text)))


@pytest.mark.parametrize("path", networks())
def test_library_networks_are_complete(path: Path) -> None:
    graph = load(path)
    check_complete(graph, written(graph))


def test_the_side_panel() -> None:
    found = written(graph_of(RESIDUAL))
    (node,) = (node for node in found["nodes"] if node["id"] == "layer2.0.conv1")
    assert node["label"] == "conv 3x3, 32, /2"
    attributes = {item["key"]: item["value"] for item in node["attrs"]}
    assert attributes["kernel"] == "[3, 3]"
    assert attributes["parameters"] == "4,608"
    assert attributes["weight (weight)"] == "32×16×3×3"
    assert attributes["source"].startswith("net.yaml:10")
    assert "groups" not in attributes  # the default
    block = found["groupNodeAttributes"]["layer2/0"]
    assert (block["block"], block["out (param)"], block["parameters"]) == ("basic", "32", "14,528")
    assert found["groupNodeAttributes"][""]["parameters"] == f"{graph_of(RESIDUAL).num_params:,}"


def test_inputs_with_different_meanings_are_named() -> None:
    found = written(graph_of(PARTS))
    (node,) = (node for node in found["nodes"] if node["id"] == "highway.gate")
    assert node["inputsMetadata"] == [
        {"id": str(place), "attrs": [{"key": "__tensor_tag", "value": name}]}
        for place, name in enumerate(["transform", "carry"])
    ]


def test_one_block_alone() -> None:
    graph = graph_of(RESIDUAL)
    found = written(graph, node="layer2")
    ids = [node["id"] for node in found["nodes"]]
    inside = [node.path for node in graph.nodes if node.path.startswith("layer2.")]
    assert ids == ["input:0", *inside, "output:0"]
    assert found["nodes"][0]["label"] == "input layer1.3.act"
    sources = {source for source, _, _, _ in edges_of(found)}
    assert sources <= set(ids)
    assert set(found["groupNodeAttributes"]) == {
        "",
        "layer2",
        *(f"layer2/{place}" for place in range(4)),
        "layer2/0/downsample",
    }
    with pytest.raises(ValueError, match="no block at the path"):
        written(graph, node="nothing")


def test_errors_are_red_nodes() -> None:
    graph = compile_text(Source("net.yaml", BLOCK), Path()).graph
    assert graph is not None
    wrong = [node for node in written(graph)["nodes"] if "style" in node]
    assert [node["namespace"] for node in wrong] == ["one", "two"]
    assert wrong[0]["label"].startswith("E204 the kernel 99x99 is larger")
    assert wrong[0]["incomingEdges"] == [{"sourceNodeId": "one.b", "sourceNodeOutputId": "0", "targetNodeInputId": "0"}]
    assert {item["key"]: item["value"] for item in wrong[0]["attrs"]}["source"].startswith("net.yaml:6")


@pytest.mark.parametrize("name", NASTY)
def test_names_of_strangers_are_one_line_of_text(name: str) -> None:
    found = written(renamed(graph_of(INCEPTION), name))
    texts = [text for node in found["nodes"] for text in (node["id"], node["label"], node["namespace"])]
    assert all(text.isprintable() for text in texts)


def test_the_ending_is_not_that_of_other_json(tmp_path: Path) -> None:
    graph = graph_of(INCEPTION)
    for name in ("net.json", ".model-explorer.json", "model-explorer.json"):
        with pytest.raises(ValueError, match="must end in"):
            render(graph, tmp_path / name)
    render(graph, tmp_path / "net.Model-Explorer.JSON")
    assert json.loads((tmp_path / "net.Model-Explorer.JSON").read_text(encoding="utf-8"))["label"] == "inception"


def test_what_the_format_cannot_have() -> None:
    with pytest.raises(ValueError, match="volumes cannot be drawn"):
        written(graph_of(INCEPTION), style="volumes")
