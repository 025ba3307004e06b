"""Events for TensorBoard: those that a run reports, whether the package is there to read them or not."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cnngraph.train.record.tensorboard import EventWriter, with_events

from cnngraph import SpecError
from cnngraph.train.record.progress import Silent
from cnngraph.train.record.records import Facts
from tests.train.support import Remembering, run


class Pages:
    """Stands for PyTorch's writer, and remembers."""

    made: ClassVar[list[Pages]] = []

    def __init__(self, folder: str, purge_step: int) -> None:
        self.folder, self.purge_step, self.closed = folder, purge_step, False
        self.scalars: list[tuple[str, float, int]] = []
        Pages.made.append(self)

    def add_scalar(self, name: str, value: float, step: int) -> None:
        self.scalars.append((name, value, step))

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def facts(folder: Path) -> Facts:
    return Facts("net", 1, "data", {}, "cpu", 2, folder)


def test_they_are_the_runs_own_figures(tmp_path: Path) -> None:
    Pages.made.clear()
    told = Remembering()
    reporter = EventWriter(told, Pages)
    reporter.begin(facts(tmp_path))
    result = run(tmp_path / "run", reporter=reporter)
    reporter.close()
    (pages,) = Pages.made
    assert (pages.folder, pages.purge_step, pages.closed) == (str(tmp_path / "tensorboard"), 1, True)
    for each in result.epochs:
        assert ("loss/train", each.train.loss, each.number) in pages.scalars
        assert ("accuracy/validation", each.held.accuracy, each.number) in pages.scalars
        assert ("learning_rate", each.learning_rate, each.number) in pages.scalars
    assert result.test
    assert result.best
    assert pages.scalars[-2:] == [
        ("loss/test", result.test.loss, result.best.number),
        ("accuracy/test", result.test.accuracy, result.best.number),
    ]
    assert len(told.epochs) == 2
    assert told.ended == [result]
    assert told.looked_at
    assert told.steps


def test_a_run_that_goes_on_voids_what_comes_later(tmp_path: Path) -> None:
    Pages.made.clear()
    run(tmp_path / "run", epochs=1)
    reporter = EventWriter(Silent(), Pages)
    reporter.begin(facts(tmp_path))
    run(tmp_path / "run", epochs=2, resume=True, reporter=reporter)
    (pages,) = Pages.made
    assert pages.purge_step == 2
    assert min(step for *_, step in pages.scalars) == 2 or pages.scalars[-1][0] == "accuracy/test"


def test_without_the_package_there_is_a_message(monkeypatch: pytest.MonkeyPatch) -> None:
    silent = Silent()
    assert with_events(silent, False) is silent
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    with pytest.raises(SpecError, match="the package tensorboard") as caught:
        with_events(silent, True)
    (told,) = caught.value.diagnostics
    assert (told.code, told.help) == ("E643", "pip install 'cnngraph[tensorboard]'")


def test_tensorboard_reads_them(tmp_path: Path) -> None:
    accumulators: Any = pytest.importorskip("tensorboard.backend.event_processing.event_accumulator")
    reporter = with_events(Silent(), True)
    reporter.begin(facts(tmp_path))
    result = run(tmp_path / "run", reporter=reporter)
    reporter.close()
    read = accumulators.EventAccumulator(str(tmp_path / "tensorboard"))
    read.Reload()
    values = [each.value for each in read.Scalars("accuracy/validation")]
    assert values == pytest.approx([each.held.accuracy for each in result.epochs])
