from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

import cnngraph
from tests.cli.conftest import Cli
from tests.cli.networks import DENSE, ZOO
from tests.library import BLOCKS, network, networks

Golden = Callable[[str, str], None]

WRONG = ZOO.replace("chunks: 2", "chunks: 3")


@pytest.fixture
def zoo(folder: Path) -> str:
    (folder / "zoo.yaml").write_text(ZOO)
    return "zoo.yaml"


def test_golden_tables(cli: Cli, zoo: str, golden: Golden) -> None:
    ran = cli("show", zoo)
    assert (ran.code, ran.err) == (0, "")
    golden("show/zoo.txt", ran.out)


@pytest.mark.parametrize("depth", [1, 2])
def test_deeper_levels_are_aggregated(cli: Cli, zoo: str, golden: Golden, depth: int) -> None:
    golden(f"show/zoo_depth_{depth}.txt", cli("show", zoo, "--depth", depth).out)


def test_bundled_network(cli: Cli, golden: Golden) -> None:
    golden("show/googlenet_mnist.txt", cli("show", network("googlenet_mnist")).out)


@pytest.mark.parametrize("path", networks())
def test_top_level_rows_add_up_to_the_totals(cli: Cli, path: Path) -> None:
    graph = cnngraph.load(path)
    lines = cli("show", path, "--depth", 1).out.splitlines()
    header = next(line for line in lines if line.startswith("node "))
    end = header.index("parameters") + len("parameters")
    totals = next(line for line in lines if line.startswith(f"{graph.num_params:,} parameters · "))
    rows = [line[:end] for line in lines[lines.index(header) + 1 : lines.index(totals)]]
    counts = [row.split()[-1] for row in rows if len(row) == end and row[-1] != " "]
    assert sum(int(count.replace(",", "")) for count in counts) == graph.num_params


def test_set_and_input_change_the_table(cli: Cli) -> None:
    ran = cli("show", network("googlenet_mnist"), "--set", "classes=3", "--input", "1x32x32", "--depth", 1)
    assert "\noutput       output ← classifier   3\n" in ran.out
    assert "1×32×32" in ran.out


def test_json_matches_the_graph(cli: Cli) -> None:
    path = network("googlenet_mnist")
    graph = cnngraph.load(path)
    printed = json.loads(cli("show", path, "--format", "json").out)
    about = ["name", "about", "paper", "published"]
    counts = ["num_params", "num_frozen", "macs"]
    assert list(printed) == [*about, "input_shapes", "output_shapes", *counts, "size_limits", "nodes"]
    for name in (*about, "num_params", "macs"):
        assert printed[name] == getattr(graph, name)
    assert printed["input_shapes"] == {name: list(shape) for name, shape in graph.input_shapes.items()}
    assert printed["output_shapes"] == {name: list(shape) for name, shape in graph.output_shapes.items()}
    words = ["path", "op", "inputs", "shape", "num_params", "macs", "file", "line"]
    assert [list(node) for node in printed["nodes"]] == [words] * len(graph.nodes)
    expected = [{word: getattr(node, word) for word in words} for node in graph.nodes]
    assert printed["nodes"] == json.loads(json.dumps(expected))


@pytest.mark.parametrize(
    ("options", "frozen"), [([], 96), (["--set", "train.freeze=none"], 0), (["--set", "train.freeze=stem"], 80)]
)
def test_the_parameters_that_the_recipe_freezes(cli: Cli, folder: Path, options: list[str], frozen: int) -> None:
    (folder / "net.yaml").write_text(
        "cnngraph: 1\ninput: [1, 28, 28]\nnodes:\n  stem: {op: conv, out: 8, kernel: 3}\n  bn: batch_norm\n"
        "  fc: [global_avg_pool, {op: linear, out: 10}]\ntrain: {recipe: linear_probe, data: digits}\n"
    )
    text = f"its recipe freezes {frozen} of 186 parameters"
    assert (text in cli("show", "net.yaml", *options).out) == bool(frozen)
    assert json.loads(cli("show", "net.yaml", "--format", "json", *options).out)["num_frozen"] == frozen


def test_paper_and_published_errors_follow_the_description(cli: Cli, folder: Path) -> None:
    published = "about: Small.\npaper: Somebody 1990, A Title\npublished: {mnist: 4.7, cifar10+: 30}\n"
    (folder / "small.yaml").write_text(f"cnngraph: 1\n{published}input: [4]\nnodes: [relu]\n")
    lines = cli("show", "small.yaml").out.splitlines()
    assert lines[:4] == ["small", "Small.", "Somebody 1990, A Title", "published error: mnist 4.7 %, cifar10+ 30 %"]
    printed = json.loads(cli("show", "small.yaml", "--format", "json").out)
    assert printed["paper"] == "Somebody 1990, A Title"
    assert printed["published"] == {"mnist": 4.7, "cifar10+": 30}


def test_json_of_a_list_of_tensors(cli: Cli, zoo: str) -> None:
    nodes = {node["path"]: node for node in json.loads(cli("show", zoo, "--format", "json").out)["nodes"]}
    assert nodes["halves"]["shape"] == [[4, 16, 16], [4, 16, 16]]
    assert nodes["twin"]["num_params"] == 0


def test_invalid_spec_prints_the_valid_part_and_the_error(cli: Cli, folder: Path, golden: Golden) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    ran = cli("show", "wrong.yaml")
    assert ran.code == 1
    assert ran.err.startswith("error[")
    golden("show/wrong.txt", f"{ran.out}{ran.err}")
    ran = cli("show", "wrong.yaml", "--format", "json")
    assert ran.code == 1
    assert [node["path"] for node in json.loads(ran.out)["nodes"]][:3] == ["stem", "twin", "diff"]


def test_text_that_is_not_a_spec(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text("[")
    ran = cli("show", "wrong.yaml")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E102]")


@pytest.mark.parametrize("command", [["build"], ["render", "-o", "x.svg"], ["train"]])
def test_block_library(cli: Cli, folder: Path, command: list[str]) -> None:
    ran = cli(*command, BLOCKS[0])
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == f"error[E107]: {BLOCKS[0]} is a library of blocks, not a network\n"


def test_a_narrow_terminal_truncates_operations(cli: Cli, monkeypatch: pytest.MonkeyPatch, golden: Golden) -> None:
    monkeypatch.setattr("cnngraph.cli.commands.show.terminal_width", lambda: 64)
    ran = cli("show", network("googlenet_mnist"))
    assert max(map(len, ran.out.splitlines())) == 64
    golden("show/narrow.txt", ran.out)


def test_a_dense_block(cli: Cli, folder: Path, golden: Golden) -> None:
    (folder / "dense.yaml").write_text(DENSE)
    golden("show/dense.txt", cli("show", "dense.yaml").out)


def test_depth_is_only_for_text_output(cli: Cli) -> None:
    ran = cli("show", network("googlenet_mnist"), "--format", "json", "--depth", 1)
    assert (ran.code, ran.out) == (2, "")
    assert "--depth applies only to text output" in ran.err


def test_no_table_if_an_option_is_invalid(cli: Cli) -> None:
    ran = cli("show", network("googlenet_mnist"), "--input", "image=1x32x32")
    assert (ran.code, ran.out) == (1, "")
    assert "the spec has a single input" in ran.err
