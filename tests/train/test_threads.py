"""The number of PyTorch threads: chosen from the free cores, printed in the header, kept when a run is resumed."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import cnngraph
from cnngraph.graph.graph import Graph
from cnngraph.launch import Cores
from cnngraph.recipe.data import ImageFolder
from cnngraph.train import Result
from cnngraph.train.loop.device import set_threads
from cnngraph.train.record.records import Progress
from tests.train.support import RECIPE, RecordingReporter, train_graph
from tests.train.test_small_batches import images, written


@pytest.fixture(autouse=True)
def restore_threads(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.delenv("OMP_NUM_THREADS")
    count = torch.get_num_threads()
    yield
    torch.set_num_threads(count)


@pytest.mark.parametrize(
    ("cores", "before", "recorder"),
    [
        (Cores(2, 2), None, "cpu, 2 threads"),
        (Cores(2, 1), None, "cpu, 1 thread (of 2 cores, the others are busy)"),
        (Cores(2, 1), 2, "cpu, 2 threads, as before"),
        (Cores(2, 2), 1, "cpu, 1 thread, as before"),
        (None, 2, "cpu, 1 thread"),
    ],
)
def test_the_number_of_threads_and_the_reason(cores: Cores | None, before: int | None, recorder: str) -> None:
    torch.set_num_threads(1)
    assert set_threads(cores, before) == recorder


class Stopping(RecordingReporter):
    """Ctrl-C after the first epoch."""

    def step(self, progress: Progress) -> None:
        if progress.epoch == 2:
            signal.raise_signal(signal.SIGINT)


def test_a_resumed_run_keeps_its_number_of_threads(tmp_path: Path) -> None:
    graph, data = cnngraph.load(written(tmp_path, "map")), images(tmp_path / "data", 40)
    run_with(graph, data, tmp_path / "whole", Cores(2, 2))
    stopping = Stopping()
    assert run_with(graph, data, tmp_path / "half", Cores(2, 2), stopping).interrupted
    recorder = RecordingReporter()
    run_with(graph, data, tmp_path / "half", Cores(2, 1), recorder)
    assert stopping.started[0].device == "cpu, 2 threads"
    assert recorder.started[0].device == "cpu, 2 threads, as before"
    whole, half = (load_file(tmp_path / folder_name / "last.safetensors") for folder_name in ("whole", "half"))
    assert all(torch.equal(tensor, half[key]) for key, tensor in whole.items())


def run_with(graph: Graph, data: Path, out: Path, cores: Cores, reporter: RecordingReporter | None = None) -> Result:
    recipe = replace(RECIPE, data=ImageFolder(), epochs=4)
    return train_graph(
        graph,
        recipe,
        spec_text="",
        out=out,
        data_dir=data,
        device="cpu",
        resume=(out / "state.pt").exists(),
        reporter=reporter or RecordingReporter(),
        cores=cores,
    )
