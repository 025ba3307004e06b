"""Warnings about params hold for values of the command line, of Python and of experiments, too."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.experiment_plan.plan import check_plan
from cnngraph.experiment_plan.reading import load_experiment
from tests.cli.conftest import Cli

BASE = """\
cnngraph: 1
input: [1, 28, 28]
params: {unit: plain, out: "16 if $unit == 'plain' else 4"}
blocks:
  plain: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 3}, relu]}
nodes: {body: {op: $unit, out: $out}, head: [global_avg_pool, {op: linear, out: 10}]}
train: {data: digits, epochs: 1, optimizer: {name: sgd, lr: 0.1}}
"""
VARIANT = """\
cnngraph: 1
extends: base.yaml
blocks:
  wide: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 5}, relu]}
"""


@pytest.fixture
def variant(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(BASE)
    Path("variant.yaml").write_text(VARIANT)
    return "variant.yaml"


def test_on_the_command_line(cli: Cli, variant: str) -> None:
    assert "W405" not in cli("check", variant).out
    ran = cli("check", variant, "--set", "unit=wide")
    assert "warning[W405]: `wide` is not among the blocks that `base.yaml` compares `$unit` with" in ran.out
    assert "--set unit=wide" in ran.out
    assert "W405" not in cli("check", variant, "--set", "unit=wide", "--set", "out=16").out
    for command in (["build", variant], ["train", variant, "--dry-run"]):
        assert "warning[W405]" in cli(*command, "--set", "unit=wide").err


def test_in_python(variant: str) -> None:
    assert "W405" in {found.code for found in cnngraph.check(variant, unit="wide").warnings}
    assert "W405" not in {found.code for found in cnngraph.check(variant, unit="wide", out=16).warnings}


@pytest.mark.parametrize(
    ("text", "combinations"),
    [
        ("specs: [{spec: variant.yaml, params: {unit: wide}}]\nseeds: 1\n", 1),
        ("specs: [variant.yaml]\nsettings: {unit: [plain, wide]}\nseeds: 1\n", 2),
        ("specs: [{spec: variant.yaml, params: {unit: wide}}]\nsettings: {out: [16]}\nseeds: 1\n", 0),
    ],
)
def test_in_an_experiment(variant: str, text: str, combinations: int) -> None:
    Path("experiment.yaml").write_text(text)
    found = [item for item in check_plan(load_experiment("experiment.yaml")).diagnostics if item.code == "W405"]
    assert len(found) == min(combinations, 1)
    if combinations == 2:
        assert "in 1 of 2 combinations: variant · unit wide" in found[0].notes[-1]
