"""The printed progress of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest
from rich.console import Console

from cnngraph.train.record.progress import Bar, Lines, Reporter, duration
from cnngraph.train.record.records import Epoch, InitialMetrics, Progress, Result, RunSummary, SplitMetrics

FACTS = RunSummary(
    "net", 1234, "MNIST", {"train": 54_000, "validation": 6_000}, "cpu, 2 threads", 10, Path("runs/net-1")
)
EPOCH = Epoch(1, 0.01, SplitMetrics(0.5, 0.9), SplitMetrics(0.25, 0.95), "validation", 12.3, 4567.0)
RESULT = Result(Path("runs/net-1"), (EPOCH,), EPOCH, SplitMetrics(0.3, 0.9401), False, 75.0)


def tell(reporter: Reporter, result: Result = RESULT) -> None:
    reporter.note("downloading MNIST")
    reporter.begin(FACTS)
    reporter.step(Progress(1, 5, 10, SplitMetrics(0.75, 0.5), 1000.0, 3601.0))
    reporter.evaluating("validation")
    reporter.epoch(EPOCH, True)
    reporter.end(result)
    reporter.close()


def test_lines_of_a_run() -> None:
    stream = io.StringIO()
    tell(Lines(stream))
    assert stream.getvalue().splitlines() == [
        "downloading MNIST",
        "net · 1,234 parameters · MNIST · cpu, 2 threads",
        "runs/net-1",
        "epoch   train loss  accuracy   validation loss  accuracy     time  images/s",
        " 1/10       0.5000   90.00 %            0.2500   95.00 %   12.3 s     4,567 *",
        "best epoch 1: validation 95.00 % · test 94.01 %, loss 0.3000 · 1:15 · runs/net-1",
    ]


def test_a_bar_shows_loss_accuracy_rate_and_time_left() -> None:
    stream = io.StringIO()
    tell(Bar(Console(file=stream, force_terminal=True, width=120, color_system=None)))
    text = stream.getvalue()
    assert "epoch  1/10 " in text
    assert "loss 0.7500  50.00 %  1,000 images/s  1:00:01 left" in text
    assert "evaluating the validation images" in text
    assert "best epoch 1: validation 95.00 %" in text


def test_an_interrupted_run(tmp_path: Path) -> None:
    stream = io.StringIO()
    tell(Lines(stream), Result(tmp_path, (EPOCH,), EPOCH, None, True, 75.0))
    assert stream.getvalue().splitlines()[-1] == f"stopped · restart with `cnngraph train --resume {tmp_path}`"
    (tmp_path / "state.pt").touch()
    tell(Lines(stream), Result(tmp_path, (EPOCH,), EPOCH, None, True, 75.0))
    assert stream.getvalue().splitlines()[-1] == f"stopped · resume with `cnngraph train --resume {tmp_path}`"


@pytest.mark.parametrize("epochs", [3, 1000])
def test_initial_weights_are_the_first_row_of_the_table(epochs: int) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.epochs = epochs
    lines.initial(InitialMetrics("validation", SplitMetrics(2.5, 0.125)))
    lines.epoch(EPOCH, True)
    header, start, first = stream.getvalue().splitlines()
    assert start.split() == ["start", "2.5000", "12.50", "%"]
    assert [len(start), start.index("2.5000")] == [first.index("95.00 %") + 7, first.index("0.2500")]
    assert header.split()[0] == "epoch"


@pytest.mark.parametrize("train_loss", [0.5, 1.23e16, 5e-324])
@pytest.mark.parametrize(("epochs", "rate"), [(2, 3.0), (300, 123_456.0)])
def test_the_epochs_of_a_run_are_a_table_of_80_columns(train_loss: float, epochs: int, rate: float) -> None:
    stream = io.StringIO()
    lines = Lines(stream)
    lines.epochs = epochs
    for number in (1, epochs):
        epoch = replace(EPOCH, number=number, train=SplitMetrics(train_loss, 1.0), rate=rate, seconds=3729.0)
        lines.epoch(epoch, True)
    header, *rows = stream.getvalue().splitlines()
    assert len(rows) == 2
    assert {len(row.removesuffix(" *")) for row in rows} == {len(header)}
    assert len(header) < 79


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.04, 8.24, 59.94, 60, 3725)] == [
        "0.0 s",
        "8.2 s",
        "59.9 s",
        "1:00",
        "1:02:05",
    ]
