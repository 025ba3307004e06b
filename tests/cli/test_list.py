from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import cnngraph
from cnngraph.cli.process import run
from cnngraph.library import catalogue
from tests.cli.conftest import Cli
from tests.cli.test_usage import on_a_terminal, variables
from tests.library import ROOT

NAMES = [network.name for network in catalogue()]


def listed(out: str) -> list[str]:
    """The names in the first column of the table."""
    header, *rows = out.splitlines()
    assert header.split() == ["network", "family", "parameters", "MACs", "input", "published", "error", "paper"]
    assert rows[-2] == ""
    return [row.split()[0] for row in rows[:-2]]


def test_all_networks_are_listed(cli: Cli) -> None:
    ran = cli("list")
    assert (ran.code, ran.err) == (0, "")
    assert listed(ran.out) == NAMES
    assert ran.out.endswith(f"\n\n{len(NAMES)} networks\n")
    (line,) = (row for row in ran.out.splitlines() if row.startswith("googlenet_mnist "))
    assert line.split() == ["googlenet_mnist", "97,298", "6.02", "M", "1×28×28"]
    (line,) = (row for row in ran.out.splitlines() if row.startswith("densenet_40_12 "))
    assert "cifar10 7 %, cifar10+ 5.24 %" in line
    assert line.endswith("Huang et al. 2017, Densely Connected Convolutional Networks")


@pytest.mark.parametrize(
    ("patterns", "expected"),
    [
        (["cifar2_ba"], ["cifar2_batchnorm", "cifar2_batchnorm_dropout"]),
        (["CIFAR2_Deep_"], ["cifar2_deep_10", "cifar2_deep_100"]),
        (["cifar2_deep_10*"], ["cifar2_deep_10", "cifar2_deep_100"]),
        (["cifar2_deep_10?"], ["cifar2_deep_100"]),
        (["*_222"], ["resnet_cifar_222"]),
        (["googlenet_m", "*_deep_100"], ["googlenet_mnist", "cifar2_deep_100"]),
        (["googlenet_mnist", "no such network"], ["googlenet_mnist"]),
    ],
)
def test_patterns_match_names(cli: Cli, patterns: list[str], expected: list[str]) -> None:
    ran = cli("list", *patterns)
    assert ran.code == 0
    assert listed(ran.out) == expected
    assert ran.out.endswith(f"\n{len(expected)} network{'s' if len(expected) > 1 else ''}\n")


def test_pattern_without_a_match(cli: Cli) -> None:
    message = "error: no network matches gogglenet_mnist: did you mean `googlenet_mnist`?\n"
    assert cli("list", "gogglenet_mnist") == (1, "", message)
    message = "error: no network matches xyzzy or *.*: run cnngraph list for all\n"
    assert cli("list", "xyzzy", "*.*") == (1, "", message)
    ran = cli("list", "xyzzy", "--format", "json")
    assert (ran.code, ran.out) == (1, "[]\n")


def test_json_matches_the_graph(cli: Cli) -> None:
    found = json.loads(cli("list", "--format", "json").out)
    assert [network["name"] for network in found] == NAMES
    (ours,) = json.loads(cli("list", "densenet_40_12", "--format", "json").out)
    graph = cnngraph.load("densenet_40_12")
    assert ours == {
        "name": "densenet_40_12",
        "family": "densenet_cifar",
        "file": "densenet_cifar/densenet_40_12.yaml",
        "num_params": graph.num_params,
        "macs": graph.macs,
        "input_shapes": {"in": [3, 32, 32]},
        "published": dict(graph.published),
        "about": graph.about,
        "paper": graph.paper,
    }


def test_a_narrow_terminal_truncates_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    lines = on_a_terminal("list", "densenet", NO_COLOR="1").splitlines()
    assert max(map(len, lines)) == 80
    assert any(line.endswith("…") for line in lines)


def test_nothing_is_elaborated(tmp_path: Path) -> None:
    code = "import sys; from cnngraph.cli.process import run; run(['list']); print([*sys.modules], file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, env=variables(), cwd=tmp_path
    )
    assert listed(ran.stdout) == NAMES
    for module in ("cnngraph.elaborate.elaborate", "cnngraph.language.load", "torch"):
        assert f"'{module}'" not in ran.stderr


def test_show_accepts_every_listed_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("googlenet_mnist", "cifar2_deep_10"):
        assert name in NAMES
        assert run(["show", name, "--depth", "1"]) == 0
        assert capsys.readouterr().out.startswith(f"{name}\n")


def test_library_page_links_every_network() -> None:
    page = (ROOT / "specs" / "README.md").read_text(encoding="utf-8")
    for network in catalogue():
        assert f"| [{network.name}]({network.file}) | {network.num_params:,} |" in page
        assert os.path.isfile(ROOT / "specs" / network.file)
