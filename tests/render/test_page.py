"""The interactive page: it is complete, small, and safe."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from cnngraph.compilation import compile_spec, network_of
from cnngraph.diagnostics import SpecError
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.render import Settings, draw, render
from cnngraph.render.page import page
from tests.library import network
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, graph_of
from tests.render.pages import Page, page_of
from tests.render.test_errors import valid_part
from tests.render.test_strangers import HEAD, NASTY, renamed

NETWORKS = [
    "densenet121",
    "googlenet_mnist",
    "inception_v3",
    "mobilenet_v2",
    "unet",
    "vit_tiny",
    "hrnet",
    "siamese_resnet18",
]
SMALL = [INCEPTION, RESIDUAL, DENSE, PARTS]


def bundled(name: str) -> Graph:
    return network_of(compile_spec(network(name)), name)


def check_complete(graph: Graph, found: Page) -> None:
    """Every operation and tensor is in the facts, and every drawn operation is in one box, with arrows to it."""
    facts = found.network
    nodes = facts["nodes"]
    assert Counter(nodes["path"]) == Counter(node.path for node in graph.nodes)
    reads = [list(zip(row[::2], row[1::2], strict=True)) for row in nodes["reads"]]
    assert reads == [[tuple(ref) for ref in node.reads] for node in graph.nodes]
    assert sum(nodes["params"]) == graph.num_params
    shapes = [[facts["shapes"][number] for number in row] for row in nodes["types"]]
    assert shapes == [[str(type_) for type_ in node.types] for node in graph.nodes]
    homes = homes_of(facts)
    hidden = {int(node): shown for node, shown in facts["standIn"].items()}
    assert set(homes).isdisjoint(hidden)
    assert {hidden.get(node, node) for node in range(len(graph.nodes))} == set(homes)


def homes_of(facts: dict[str, Any]) -> dict[int, list[tuple[int, str]]]:
    """The boxes that contain each drawn operation, from the outermost."""
    groups = facts["groups"]
    homes: dict[int, list[tuple[int, str]]] = {}
    waiting: list[tuple[int, list[tuple[int, str]]]] = [(0, [])]
    while waiting:
        number, around = waiting.pop()
        drawing = groups[number]["drawing"]
        for key, box in drawing["boxes"].items():
            chain = [*around, (number, key)]
            inner = box.get("group")
            if inner is not None and groups[inner]["drawing"]:
                waiting.append((inner, chain))
                continue
            for node in groups[inner]["nodes"] if inner is not None else box.get("nodes", []):
                assert node not in homes, f"node {node} is drawn twice"
                homes[node] = chain
    return homes


def check_arrows(found: Page, readers: list[list[tuple[int, int]]]) -> None:
    """A tensor that is read has an arrow on every level between the two boxes."""
    facts = found.network
    homes, hidden = homes_of(facts), {int(node): shown for node, shown in facts["standIn"].items()}
    for node, refs in enumerate(readers):
        if node not in homes or facts["nodes"]["note"][node].endswith("never runs"):
            continue
        for tail, _ in refs:
            if tail < 0:
                continue
            one, two = homes[hidden.get(tail, tail)], homes[node]
            depth = next((place for place, (a, b) in enumerate(zip(one, two, strict=False)) if a != b), None)
            if depth is None:
                continue  # inside one box
            group, key = one[depth]
            arrows = {(arrow[0], arrow[1]) for arrow in facts["groups"][group]["drawing"]["arrows"]}
            assert (key, two[depth][1]) in arrows, (node, tail)
            for inner, box in two[depth + 1 :]:
                assert any(
                    arrow[0].startswith("input") and arrow[1] == box
                    for arrow in facts["groups"][inner]["drawing"]["arrows"]
                )
            for inner, box in one[depth + 1 :]:
                assert any(
                    arrow[1].startswith("output") and arrow[0] == box
                    for arrow in facts["groups"][inner]["drawing"]["arrows"]
                )


@pytest.mark.parametrize("name", NETWORKS)
def test_every_operation_and_tensor_of_a_network_is_on_its_page(name: str) -> None:
    graph = bundled(name)
    found = Page(page(graph))
    check_complete(graph, found)


@pytest.mark.parametrize("fold", [None, False])
@pytest.mark.parametrize("text", SMALL)
def test_every_operation_is_drawn_once_and_every_tensor_has_its_arrows(text: str, fold: bool | None) -> None:
    graph = graph_of(text)
    found = page_of(text, fold=fold)
    check_complete(graph, found)
    if fold is False:  # else the reads of a dense block are drawn as a ladder, of equal iterations those of the first
        joins = {node for node, drawn in enumerate(graph.nodes) if drawn.op == "concat" and len(drawn.reads) > 2}
        reads = [[(ref.node, ref.output) for ref in item.reads] for item in graph.nodes]
        check_arrows(found, [[] if node in joins else refs for node, refs in enumerate(reads)])


def test_tensors_cross_the_frame_of_a_block_where_the_page_expects_them() -> None:
    found = page_of(RESIDUAL, fold=False)
    groups = found.network["groups"]
    for group in groups:
        for box in (group["drawing"] or {"boxes": {}})["boxes"].items():
            inner = box[1].get("group")
            if inner is None:
                continue
            for tail, head, source, *_ in group["drawing"]["arrows"]:
                if head == box[0]:
                    assert source in groups[inner]["drawing"]["entries"]
                if tail == box[0]:
                    assert source in groups[inner]["drawing"]["exits"]


def test_a_page_is_small() -> None:
    assert len(draw(bundled("densenet121"), "html")) < 300_000
    assert len(draw(bundled("resnet_cifar_1202"), "html")) < 1_000_000


def test_facts_about_an_operation() -> None:
    found = page_of(RESIDUAL)
    nodes, files = found.network["nodes"], found.data["files"]
    index = nodes["path"].index("layer1.0.conv2")
    op, kind, *parameters = found.network["ops"][nodes["op"][index]]
    assert (op, kind) == ("conv", "conv")
    assert ["kernel", "[3, 3]", False] in parameters
    assert ["groups", "1", True] in parameters
    assert nodes["macs"][index] == 16 * 16 * 9 * 32 * 32
    assert nodes["memory"][index] == 4 * 16 * 32 * 32
    assert nodes["field"][index] == [7, 7]
    file, line, last = nodes["at"][index]
    assert files[file]["text"].splitlines()[line - 1].strip().startswith("conv2: {op: conv")
    assert line == last


def test_measured_times_are_facts_of_operations() -> None:
    graph = graph_of(RESIDUAL)
    seconds = {node.path: (place + 1) / 3e5 for place, node in enumerate(graph.nodes)}
    found = Page(draw(graph, "html", Settings(times=NodeTimes(seconds, "cpu, 2 threads", 7))).decode())
    assert found.network["nodes"]["time"] == pytest.approx(list(seconds.values()), rel=1e-3)
    assert found.network["timing"] == {"on": "cpu, 2 threads", "passes": 7}
    assert not {"time", "timing"} & {*page_of(RESIDUAL).network, *page_of(RESIDUAL).network["nodes"]}


def test_times_of_another_network_or_for_another_format() -> None:
    graph = graph_of(RESIDUAL)
    times = NodeTimes({node.path: 0.1 for node in graph.nodes}, "cpu, 2 threads", 7)
    with pytest.raises(ValueError, match="those of another network: there is none for 'conv1'"):
        draw(graph_of(INCEPTION), "html", Settings(times=times))
    with pytest.raises(ValueError, match="in HTML only"):
        draw(graph, "svg", Settings(times=times))


def test_folded_iterations_are_listed_by_path() -> None:
    groups = page_of(RESIDUAL, fold=True).network["groups"]
    assert any(group["paths"] == ["layer1.0", "layer1.1", "layer1.2", "layer1.3"] for group in groups)


def test_the_first_view() -> None:
    assert page_of(RESIDUAL, depth=1).opened() == {""}
    assert page_of(RESIDUAL, depth=2).opened() >= {"", "layer1", "layer2"}
    assert page_of(RESIDUAL, open=("layer2",)).opened() == {"", "layer2"}
    assert page_of(RESIDUAL).data["open"] is None  # the page decides, by the size of its window
    assert page_of(RESIDUAL, node="layer1").network["groups"][0]["path"] == "layer1"
    assert page_of(RESIDUAL, direction="right").data["down"] is False
    assert dict(page_of(RESIDUAL, theme="dark").tags)["html"] == {"lang": "en", "data-theme": "dark"}
    assert "<title>A title</title>" in page_of(RESIDUAL, title="A title").html


def test_wrong_settings() -> None:
    with pytest.raises(ValueError, match="no block at the path"):
        page_of(RESIDUAL, node="nothing")


def test_the_same_network_has_the_same_page() -> None:
    assert page_of(PARTS).html == page_of(PARTS).html


def test_files(tmp_path: Path) -> None:
    for name in ("net.html", "net.HTM"):
        render(graph_of(INCEPTION), tmp_path / name, Settings())
        assert (tmp_path / name).read_text(encoding="utf-8").startswith("<!DOCTYPE html>")


def test_a_page_needs_no_network_and_allows_only_its_own_script() -> None:
    found = page_of(INCEPTION)
    assert set(re.findall(r"https?://[^\s\"'`<)]+", found.html)) == {"http://www.w3.org/2000/svg"}
    assert found.policy.startswith("default-src 'none'; ")
    assert "unsafe" not in found.policy
    for kind, (text,) in (("script", found.scripts), ("style", found.styles)):
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert f"{kind}-src 'sha256-{digest}'" in found.policy


def outline(found: Page) -> list[tuple[str, list[str]]]:
    """All elements with the names of their attributes."""
    return [(tag, sorted(attributes)) for tag, attributes in found.tags]


@pytest.mark.parametrize("name", NASTY)
def test_names_are_text(name: str) -> None:
    graph = graph_of(INCEPTION)
    nasty, plain = (Page(page(renamed(graph, text), Settings(title=text))) for text in (name, "plain"))
    assert {tag for tag, _ in outline(nasty)} == {tag for tag, _ in outline(plain)}
    assert len(nasty.scripts) == 1
    assert nasty.scripts == plain.scripts
    for _, attributes in nasty.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        assert attributes.get("href", "data:,") == "data:,"
    facts = nasty.html.partition('id="facts">')[2].partition("</script>")[0]
    assert not set("<>&\u2028\u202e\x1b\x00") & set(facts)
    assert nasty.network["nodes"]["path"][0].startswith(name[:3].replace("\x00", "\\x00")[:1])


def test_the_text_of_a_spec_is_text() -> None:
    text = INCEPTION + "about: '</script><script>alert(1)</script><!--'\n"
    found = page_of(text)
    assert len(found.scripts) == 1
    assert "</script><script>alert(1)" in found.data["files"][0]["text"]


def test_a_network_with_too_many_boxes_at_the_top_level_is_an_error() -> None:
    with pytest.raises(SpecError) as caught:
        page_of(f"{HEAD}  body: {{repeat: 2000, flat: true, op: conv, out: $i + 1, kernel: 1}}\n")
    assert caught.value.diagnostics[0].code == "E501"


def test_a_block_with_too_many_boxes_stays_closed() -> None:
    groups = page_of(f"{HEAD}  body: {{repeat: 2000, op: conv, out: $i + 1, kernel: 1}}\n").network["groups"]
    assert groups[1]["path"] == "body"
    assert groups[1]["drawing"] is None


def test_a_network_in_the_shape_of_a_u_has_drawings_without_its_skips() -> None:
    graph = bundled("unet")
    facts = Page(page(graph)).network
    paths = facts["nodes"]["path"]
    ends = [(paths[tail], [paths[reader] for reader in readers]) for tail, _, readers, _ in facts["skips"]]
    assert ends == [(f"down.{place}.convs.0.1", [f"up.{3 - place}.concat"]) for place in range(4)]
    chains = {group["path"]: group for group in facts["groups"] if "chain" in group}
    assert {"", "down", "up", "down.1", "up.0"} <= set(chains)
    assert "down.4" not in chains
    for group in chains.values():
        drawing, chain = group["drawing"], group["chain"]
        assert set(drawing["boxes"]) == set(chain["boxes"])
        assert len(chain["arrows"]) <= len(drawing["arrows"])
    arrows = [len(chains["up"][kind]["arrows"]) for kind in ("drawing", "chain")]
    assert arrows[0] - arrows[1] == 4


@pytest.mark.parametrize("name", ["hrnet", "densenet121", "resnet50_fpn", "swin_t", "botnet50"])
def test_other_networks_have_no_second_drawings(name: str) -> None:
    facts = Page(page(bundled(name))).network
    assert facts["skips"] == []
    assert not any("chain" in group for group in facts["groups"])


def test_a_block_of_one_operation_and_an_error_is_closed_in_the_drawing_around_it() -> None:
    text = """
cnngraph: 1
input: [3, 8, 8]
nodes:
  first: {op: conv, out: 4, kernel: 3}
  block:
    nodes: {one: {op: conv, out: 4, kernel: 3}, wrong: {op: max_pool, kernel: 99}}
  last: {op: conv, from: first, out: 4, kernel: 1}
"""
    root, block = Page(page(valid_part(text))).network["groups"]
    assert root["drawing"]["boxes"].keys() > {"input0"}
    assert [box.get("group") for box in root["drawing"]["boxes"].values()].count(1) == 1
    assert any("error" in box for box in block["drawing"]["boxes"].values())
