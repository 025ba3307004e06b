"""The printed progress of a run."""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

from rich.console import Console

from cnngraph.train.record.progress import Bar, Lines, Reporter, duration
from cnngraph.train.record.records import Epoch, Progress, Result, RunSummary, SplitMetrics

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
        "net · 1,234 parameters · MNIST (54,000 train, 6,000 validation) · cpu, 2 threads",
        "runs/net-1",
        "epoch  1/10   train loss 0.5000  90.00 %   validation loss 0.2500  95.00 %   12.3 s   4,567 images/s *",
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
    assert stream.getvalue().splitlines()[-1] == f"stopped · cnngraph train --resume {tmp_path} restarts it"
    (tmp_path / "state.pt").touch()
    tell(Lines(stream), Result(tmp_path, (EPOCH,), EPOCH, None, True, 75.0))
    assert stream.getvalue().splitlines()[-1] == f"stopped · cnngraph train --resume {tmp_path} resumes it"


def test_a_huge_loss_is_short() -> None:
    stream = io.StringIO()
    Lines(stream).epoch(replace(EPOCH, train=SplitMetrics(1.23e16, 0.1)), False)
    assert stream.getvalue().startswith("epoch 1/0   train loss 1.23e+16  10.00 %   validation loss 0.2500  95.00 %")


def test_durations() -> None:
    assert [duration(seconds) for seconds in (0.04, 8.24, 59.94, 60, 3725)] == [
        "0.0 s",
        "8.2 s",
        "59.9 s",
        "1:00",
        "1:02:05",
    ]
