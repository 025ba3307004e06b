"""Running an experiment on a small network: its runs, resuming, failures and the report."""

from __future__ import annotations

import json
import re
import signal
from base64 import b64decode
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest

from cnngraph.experiment import running
from cnngraph.experiment.curves import curves_figure
from cnngraph.experiment.differences import difference
from cnngraph.experiment.report import write_report
from cnngraph.experiment.results import mean_and_std, read_results
from cnngraph.experiment.running import PrintingReporter, run_experiment
from cnngraph.experiment_plan.plan import Plan, make_plan
from cnngraph.experiment_plan.reading import load_experiment
from cnngraph.text import markdown as text_markdown
from cnngraph.train import Reporter, Request, Result, run_training
from cnngraph.train import run as training
from cnngraph.train.data.load_splits import load_splits
from cnngraph.train.data.split import Splits

NET = """
cnngraph: 1
input: [1, 28, 28]
params: {width: 3}
nodes: [{op: max_pool, kernel: 4}, flatten, {op: linear, out: $width}, relu, {op: linear, out: 10}]
"""
EXPERIMENT = """
about: Which <width> does it take?
specs: [{spec: net.yaml, params: {width: 2}}, {spec: net.yaml, params: {width: 8}, label: "8|wide"}]
recipes: [mine.yaml]
seeds: 2
"""
RECIPE = "{data: digits, epochs: 2, batch_size: 50, optimizer: {name: adam, lr: 0.01}, device: cpu}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in (("net", NET), ("widths", EXPERIMENT), ("mine", RECIPE)):
        Path(f"{name}.yaml").write_text(text)

    def load_tenth(*arguments: object) -> Splits:
        splits = load_splits(*arguments)  # type: ignore[arg-type]
        few = [
            replace(part, indices=part.indices[::10]) for part in (splits.train, splits.validation, splits.test) if part
        ]
        train, *rest = few
        return Splits(splits.classes, train, *(rest if len(rest) == 2 else (None, rest[0])))

    monkeypatch.setattr(training, "load_splits", load_tenth)
    return tmp_path


def planned() -> Plan:
    return make_plan(load_experiment("widths.yaml"))


ROOT = Path("runs/widths")


def test_runs_and_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    outcome = run_experiment(planned(), ROOT)
    assert (outcome.interrupted, outcome.failed) == (False, {})
    printed = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in printed[:3]] == ["train", "validation", "test"]
    assert len(printed) == len(set(printed))  # the data of several runs is printed once
    lines = [line for line in printed if line[0].isdigit()]
    assert [re.sub(r"\d+\.\d+", "x", line) for line in lines] == [
        "1/4   net, width 2   seed 0   x %   x s",
        "2/4   8|wide         seed 0   x %   x s",
        "3/4   net, width 2   seed 1   x %   x s",
        "4/4   8|wide         seed 1   x %   x s",
    ]
    narrow, wide = read_results(planned(), ROOT)
    assert (narrow.name, len(narrow.runs), narrow.parameters) == ("net, width 2", 2, 49 * 2 + 2 + 2 * 10 + 10)
    metrics = [json.loads((ROOT / f"8_wide-mine-seed{seed}/metrics.json").read_text()) for seed in (0, 1)]
    accuracies = [run_metrics["test"]["accuracy"] for run_metrics in metrics]
    assert wide.accuracies == accuracies
    assert accuracies[0] != accuracies[1]
    page = write_report(planned(), [narrow, wide], ROOT)
    assert page == ROOT / "report.html"
    text = (ROOT / "report.md").read_text()
    row = f"| 8\\|wide | {mean_and_std(accuracies)} | {wide.parameters} | {wide.macs} |"
    assert row in text
    assert r"Which \<width\> does it take?" in text
    assert "seeds 0, 1 · recipe mine · 2 epochs · embedded digits" in text
    assert "with the weights of the best epoch on the validation images" in text.replace("\n", " ")
    html = page.read_text()
    assert "Which &lt;width&gt; does it take?" in html
    assert "<td>8|wide</td>" in html
    assert "http" not in html  # the page is self-contained
    drawn = [b64decode(data).decode() for data in re.findall(r' src="data:image/svg\+xml;base64,([^"]*)"', html)]
    assert all(ElementTree.fromstring(svg).tag.endswith("svg") for svg in drawn)
    assert drawn[0] == (ROOT / "curves.svg").read_text()
    assert len(drawn) == 3  # and each network
    assert "<figcaption>net, width 2</figcaption>" in html
    pairs = [other - first for first, other in zip(narrow.accuracies, accuracies, strict=True)]
    seeds = " | ".join(f"{100 * accuracy:.2f}" for accuracy in accuracies)
    found = difference(wide, narrow)
    assert found
    assert found.mean == pytest.approx(sum(pairs) / 2)
    assert "| network | seed 0 | seed 1 | difference to net, width 2 |" in text
    assert f"| 8\\|wide | {seeds} | {text_markdown(str(found))} |" in text
    assert f"<td>{found}</td>" in html


def test_finished_runs_are_kept_and_others_resumed(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_experiment(planned(), Path("whole"), reporter=PrintingReporter(quiet=True))
    assert capsys.readouterr().out == ""
    uninterrupted = read_results(planned(), Path("whole"))
    train, count = run_training, 0

    def stopping(request: Request, reporter: Reporter) -> Result:
        nonlocal count
        count += 1
        if count == 2:
            reporter.evaluating = lambda split: signal.raise_signal(signal.SIGINT)  # type: ignore[method-assign]
        return train(request, reporter)

    monkeypatch.setattr(running, "run_training", stopping)
    assert run_experiment(planned(), ROOT).interrupted
    assert [len(variant.runs) for variant in read_results(planned(), ROOT)] == [1, 0]
    before = (ROOT / "net_width_2-mine-seed0/metrics.json").stat().st_mtime_ns
    capsys.readouterr()
    assert not run_experiment(planned(), ROOT).interrupted
    assert "kept" in capsys.readouterr().out.splitlines()[0]
    assert (ROOT / "net_width_2-mine-seed0/metrics.json").stat().st_mtime_ns == before
    assert [variant.accuracies for variant in read_results(planned(), ROOT)] == [
        variant.accuracies for variant in uninterrupted
    ]
    assert [variant.curve("loss") for variant in read_results(planned(), ROOT)] == [
        variant.curve("loss") for variant in uninterrupted
    ]


def test_a_failing_run_does_not_stop_the_others(folder: Path) -> None:
    Path("net.yaml").write_text(NET.replace("relu, ", ""))  # without ReLU the loss diverges at the large learning rate
    Path("mine.yaml").write_text(RECIPE.replace("adam", "sgd"))
    Path("widths.yaml").write_text(
        "{specs: [net.yaml], recipes: [mine.yaml], seeds: 1, settings: {train.optimizer.lr: [1.0e+30, 0.01]}}"
    )
    outcome = run_experiment(planned(), ROOT)
    (error,) = outcome.failed.values()
    assert error.diagnostics[0].code == "E630"
    failed, fine = read_results(planned(), ROOT)
    assert (failed.accuracies, len(fine.accuracies)) == ([], 1)
    assert "| none finished |" in (write_report(planned(), [failed, fine], ROOT).parent / "report.md").read_text()


def test_no_epoch_is_chosen_without_validation(folder: Path) -> None:
    Path("mine.yaml").write_text(RECIPE.replace("{", "{validation: none, ", 1))
    run_experiment(planned(), ROOT)
    variants = read_results(planned(), ROOT)
    for variant in variants:
        assert variant.highest == [max(curve) for curve in (run.curve("accuracy") for run in variant.runs)]
    text = write_report(planned(), variants, ROOT).with_name("report.md").read_text()
    assert "| highest epoch |" in text
    assert f"| {mean_and_std(variants[0].accuracies)} | {mean_and_std(variants[0].highest)} |" in text


def test_an_experiment_of_one_epoch(folder: Path) -> None:
    Path("mine.yaml").write_text(RECIPE.replace("epochs: 2", "epochs: 1"))
    run_experiment(planned(), ROOT)
    variants = read_results(planned(), ROOT)
    assert " · 1 epoch · " in write_report(planned(), variants, ROOT).with_name("report.md").read_text()
    for axes in curves_figure(variants).axes[:2]:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_spread() -> None:
    assert mean_and_std([]) == ""
    assert mean_and_std([0.98765]) == "98.77 %"
    assert mean_and_std([0.98, 0.99, 1.0]) == "99.00 ± 1.00 %"
