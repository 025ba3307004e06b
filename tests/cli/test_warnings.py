"""Every command that reads a spec prints its warnings once and continues."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import partial
from importlib import import_module
from pathlib import Path

import pytest

import cnngraph
from cnngraph.diagnostics import Diagnostic, Severity
from cnngraph.train import run as running
from tests.cli.conftest import Cli

NET = """\
cnngraph: 1
input: [1, 28, 28]
params: {spare: 1}
nodes:
  flat: flatten
  fc: {op: linear, out: 10}
  out: softmax
"""
CODES = ("W320", "W402")


@pytest.fixture
def net(folder: Path) -> str:
    (folder / "net.yaml").write_text(NET)
    (folder / "digits.yaml").write_text("{data: digits, epochs: 1, batch_size: 1024, optimizer: adam}")
    return "net.yaml"


def printed(text: str) -> list[str]:
    """The codes of the warnings in a text."""
    return [line[8:12] for line in text.splitlines() if line.startswith("warning[")]


@pytest.mark.parametrize(
    "command",
    [
        ("show", "net.yaml"),
        ("show", "net.yaml", "--format", "json"),
        ("render", "net.yaml", "-o", "net.mmd"),
        ("build", "net.yaml"),
        ("build", "net.yaml", "-o", "net.safetensors"),
    ],
    ids=" ".join,
)
def test_commands_print_a_warning_and_continue(cli: Cli, net: str, command: tuple[str, ...]) -> None:
    ran = cli(*command)
    assert ran.code == 0
    assert printed(ran.err) == ["W320"]
    assert "warning" not in ran.out


def test_weights_prints_a_warning_and_continues(cli: Cli, net: str) -> None:
    assert cli("build", net, "-o", "net.safetensors").code == 0
    ran = cli("weights", net, "net.safetensors")
    assert (ran.code, printed(ran.err)) == (0, ["W320"])


def test_check_reports_warnings_and_succeeds(cli: Cli, net: str) -> None:
    ran = cli("check", net)
    assert (ran.code, printed(ran.out), ran.err) == (0, ["W320"], "")
    (found,) = json.loads(cli("check", net, "--format", "json").out)["files"]
    assert found["ok"]
    assert [diagnostic["severity"] for diagnostic in found["diagnostics"]] == ["warning"]
    assert [diagnostic.code for diagnostic in cnngraph.check(net)] == ["W320"]


def test_check_selects_and_ignores_warnings(cli: Cli, net: str) -> None:
    assert cli("check", net, "--ignore", "W320").out.startswith("net.yaml: ok, ")
    assert cli("check", net, "--select", "W4,W6").out.startswith("net.yaml: ok, ")
    assert printed(cli("check", net, "--select", "W3", "--select", "W4").out) == ["W320"]
    ran = cli("check", net, "--ignore", "W32,W41O")
    assert ran.code == 2
    assert ran.err.startswith("error: invalid value for --ignore: no spec warning has the code `W41O`: ")
    assert cli("check", net, "--select", "E203").code == 2


def test_training_and_evaluation_continue(cli: Cli, net: str, folder: Path) -> None:
    """`train` knows the recipe, so it also reports warnings about training."""
    ran = cli("train", net, "--recipe", "digits.yaml", "--out", "run")
    assert ran.code == 0, ran.err
    assert sorted(printed(ran.err)) == sorted(CODES)
    assert "warning" not in ran.out
    for command in (("evaluate", "run"), ("evaluate", "run", "--format", "json")):
        ran = cli(*command)
        assert ran.code == 0, ran.err
        assert printed(ran.err) == ["W320"]
    ran = cli("train", net, "--resume", "run", "--set", "train.epochs=2")
    assert ran.code == 0, ran.err
    assert sorted(printed(ran.err)) == sorted(CODES)


def test_an_experiment_prints_each_warning_once_and_records_it(cli: Cli, net: str, folder: Path) -> None:
    ran = cli("experiment", net, "--recipe", "digits.yaml", "--seeds", "2", "--out", "tried")
    assert ran.code == 0, ran.err
    assert sorted(printed(ran.err)) == sorted(CODES)
    for name in ("report.md", "report.html"):
        text = (folder / "tried" / name).read_text()
        assert all(text.count(code) == 1 for code in CODES)


def test_training_warnings_do_not_stop_a_run(cli: Cli, net: str, monkeypatch: pytest.MonkeyPatch, folder: Path) -> None:
    """Warnings about network and data do not stop a run either."""
    warning = Diagnostic("W605", "the images are many", severity=Severity.WARNING)
    tools = replace(running.TOOLS, misfits=lambda *arguments, **images: [warning])
    training = import_module("cnngraph.train")
    monkeypatch.setattr(training, "run_training", partial(training.run_training, tools=tools))
    ran = cli("train", net, "--recipe", "digits.yaml", "--out", "run")
    assert ran.code == 0, ran.err
    assert (ran.out + ran.err).count("the images are many") == 1


def test_errors_still_stop(cli: Cli, net: str, folder: Path) -> None:
    (folder / net).write_text(NET.replace("out: 10", "out: 7"))
    for command in (("train", net, "--recipe", "digits.yaml"), ("experiment", net, "--recipe", "digits.yaml")):
        ran = cli(*command)
        assert ran.code == 1
        assert "error[E611]" in ran.err
    assert not (folder / "runs").exists()
