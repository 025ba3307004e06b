"""Whenever a run is killed, resuming it gives exactly the same result."""

from __future__ import annotations

import errno
import multiprocessing
import os
import random
import signal
import time
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import torch
from PIL import Image

from cnngraph import SpecError
from cnngraph.atomic_files import WriteError
from cnngraph.backend import lower, save_weights
from cnngraph.backend.weights.load import save_tensors
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.train.data.images import FEWER_WORKERS, OnDisk
from cnngraph.train.data.split import Split, Splits
from cnngraph.train.record import run_file_formats, run_folder
from cnngraph.train.record.run_folder import RunFolder
from cnngraph.train.resuming import ResumedRun, initial_weights_of
from cnngraph.train.run import Tools
from tests.train.killable import RECIPE, SPEC, Death, finished, outcome, start, train_in_folder
from tests.train.support import at_batch, train_graph

WRITES = 23  # of the uninterrupted run; counted by a test below


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The outcome of an uninterrupted run."""
    folder = tmp_path_factory.mktemp("whole") / "run"
    process = start(folder)
    process.join()
    assert process.exitcode == 0
    return outcome(folder)


def killed_and_resumed(folder: Path, death: Death) -> bool:
    """Whether the process died as planned; afterwards, the run is finished."""
    process = start(folder, death=death)
    process.join()
    died = bool(process.exitcode == -signal.SIGKILL)
    assert died or process.exitcode == 0
    if not finished(folder):
        process = start(folder)
        process.join()
        assert process.exitcode == 0
    return died


def every_death(some: set[Death]) -> list[Any]:
    """Every possible death; only `some` run in the default suite."""
    deaths = [Death(write, within) for write in range(1, WRITES + 1) for within in (True, False)]
    return [
        pytest.param(
            death, marks=() if death in some else pytest.mark.slow, id=f"{'in' if death.within else 'after'}{n}"
        )
        for death in deaths
        for n in (death.write,)
    ]


@pytest.mark.parametrize("death", every_death({Death(2, True), Death(4, False), Death(8, True), Death(22, False)}))
def test_killed_at_a_write(tmp_path: Path, uninterrupted: dict[str, Any], death: Death) -> None:
    assert killed_and_resumed(tmp_path / "run", death)
    assert outcome(tmp_path / "run") == uninterrupted


@pytest.mark.parametrize("deaths", [5, pytest.param(50, marks=pytest.mark.slow)])
def test_killed_at_random(tmp_path: Path, deaths: int) -> None:
    longer, rng = replace(RECIPE, epochs=6), random.Random(deaths)
    began = time.monotonic()
    start(tmp_path / "whole", longer).join()
    seconds = time.monotonic() - began
    expected, died, runs = outcome(tmp_path / "whole"), 0, 0
    while died < deaths:
        folder = tmp_path / str(runs)
        while not (folder.is_dir() and finished(folder)):
            process = start(folder, longer)
            process.join(rng.uniform(0, seconds))
            process.kill()
            process.join()
            assert process.exitcode in (0, -signal.SIGKILL)
            died += process.exitcode != 0
        assert outcome(folder) == expected
        runs += 1


class Disk:
    """A disk that is full at the n-th write."""

    def __init__(self, full_at: int) -> None:
        self.full_at, self.count = full_at, 0

    def __call__(self, path: Path) -> None:
        self.count += 1
        if self.count == self.full_at:
            os.truncate(path, path.stat().st_size // 2)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))


def test_a_full_disk_at_any_write(
    tmp_path: Path, uninterrupted: dict[str, Any], monkeypatch: pytest.MonkeyPatch, same_process: Callable[[Path], None]
) -> None:
    for number in range(1, WRITES + 2):
        folder, disk = tmp_path / str(number), Disk(number)
        monkeypatch.setattr("cnngraph.atomic_files._flush_to_disk", disk)
        if number > WRITES:
            same_process(folder)
            assert disk.count == WRITES
            break
        with pytest.raises(SpecError) as caught:
            same_process(folder)
        (diagnostic,) = caught.value.diagnostics
        assert diagnostic.code == "E632"
        assert diagnostic.message.startswith(f"cannot write {folder}/")
        assert diagnostic.message.endswith(": No space left on device")
        has_started = (folder / "spec.yaml").exists()
        resuming = f"then resume with `cnngraph train --resume {folder}`" if has_started else "then start again"
        assert diagnostic.help == f"free disk space; {resuming}"
        best = folder / "best.safetensors"
        assert diagnostic.notes == (("best.safetensors is unchanged",) if best.exists() else ())
        assert not list(folder.glob("*.partial"))
        same_process(folder)
        assert outcome(folder) == uninterrupted, f"full at {number}"


@pytest.fixture
def same_process(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Train in this process, and restore its state afterwards."""
    for module, name in ((run_folder, "draw_curves"), (run_file_formats, "write_figure")):
        monkeypatch.setattr(module, name, getattr(module, name))
    return train_in_folder


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="this system has no disk that is always full")
@pytest.mark.parametrize("write", [run_file_formats.write_state, lambda path, state: save_tensors(state, path)])
def test_every_writer_reports_a_full_disk(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: Callable[..., None]
) -> None:
    path, full = tmp_path / "file", tmp_path / ".file.partial"
    path.write_text("before")
    full.symlink_to("/dev/full")
    monkeypatch.setattr("cnngraph.atomic_files._temporary", lambda path: full)
    with pytest.raises(WriteError, match="No space left") as caught:
        write(path, {"weights": torch.zeros(100_000)})
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert [path.name for path in tmp_path.iterdir()] == ["file"]
    assert path.read_text() == "before"


def test_initial_weights_of_a_killed_run(tmp_path: Path) -> None:
    """A run killed before its first checkpoint restarts with its initial weights, or reports that they are gone."""
    graph = compile_text(Source("tiny.yaml", SPEC), tmp_path).graph
    assert graph
    given = tmp_path / "given.safetensors"
    save_weights(lower(graph), given)
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    facts = {"file": "given", "path": str(given), "sha256": sha256(given.read_bytes()).hexdigest()}
    folder.begin(SPEC, RECIPE, "cpu", None, facts)
    has_started = ResumedRun(folder, None, folder.weights, None)
    weights = initial_weights_of(has_started)
    assert weights
    assert weights.shapes["conv.weight"] == (4, 1, 3, 3)
    given.write_bytes(given.read_bytes()[:-1])
    with pytest.raises(SpecError, match="its initial weights are missing or changed") as caught:
        initial_weights_of(has_started)
    assert caught.value.diagnostics[0].code == "E631"


def test_a_killed_worker(tmp_path: Path) -> None:
    for number in range(40):
        Image.new("L", (8, 8), number).save(tmp_path / f"{number}.png")
    paths = tuple(str(tmp_path / f"{number}.png") for number in range(40))
    images = OnDisk(paths, torch.arange(40) % 4, (1, 8, 8), workers=2)
    split = Split.all_of(images)

    def kill_one() -> None:
        os.kill(multiprocessing.active_children()[0].pid or 0, signal.SIGKILL)
        time.sleep(0.5)

    graph = compile_text(Source("tiny.yaml", SPEC), tmp_path).graph
    assert graph
    tools = Tools(
        load_images=lambda *arguments: Splits(tuple("abcd"), split, split, None),
        build=lambda graph: at_batch(5, kill_one, lower(graph)),
    )
    with pytest.raises(SpecError) as caught:
        train_graph(graph, RECIPE, spec_text=SPEC, out=tmp_path / "run", tools=tools)
    (diagnostic,) = caught.value.diagnostics
    assert (diagnostic.code, diagnostic.notes) == ("E623", ("best.safetensors is unchanged",))
    assert diagnostic.message == "an image-loading worker was killed (signal: Killed)"
    resuming = f"then resume with `cnngraph train --resume {tmp_path / 'run'}`"
    assert diagnostic.help == f"{FEWER_WORKERS}; {resuming}"
