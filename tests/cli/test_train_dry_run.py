"""`cnngraph train --dry-run`: everything that a run does before it trains."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from tests.cli.conftest import Cli


def test_dry_run_does_everything_but_train(cli: Cli, tiny: str, folder: Path) -> None:
    ran = cli("train", tiny, "--dry-run", "--device", "cpu", "--set", "train.batch_size=500")
    assert (ran.code, ran.err) == (0, "")
    *images, network, run, steps, end = ran.out.splitlines()
    assert [line.partition(":")[0] for line in images] == ["train", "validation", "test"]
    assert network.startswith("tiny · 7,850 parameters · embedded digits · cpu")
    assert (run, steps) == ("runs/tiny-1", "2 epochs of 11 steps, batch size 500")
    assert end == "dry run: nothing was trained or written"
    assert cli("train", tiny, "--dry-run", "--quiet") == (0, "", "")
    assert list(folder.iterdir()) == [folder / tiny]


def test_dry_run_downloads_nothing(cli: Cli, tiny: str, folder: Path) -> None:
    ran = cli("train", tiny, "--dry-run", "--set", "train.data=mnist", "--data-dir", "sets")
    assert ran.code == 0
    assert ran.out.startswith("MNIST is not in sets: the run will download it\ntiny · 7,850 parameters · MNIST · ")
    assert "\n2 epochs, batch size 200\n" in ran.out
    assert list(folder.iterdir()) == [folder / tiny]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--set", "classes=7"], "error[E611]: embedded digits has 10 classes, but the network's output is 7\n"),
        (["--set", "train.data.classes=['3', '8']"], "error[E611]: embedded digits has 2 classes"),
        (["--set", "train.data=folder", "--data-dir", "nowhere"], "error[E621]"),
        (["--device", "nonsense"], "error[E640]"),
        (["--out", "full"], "error[E632]: full is not empty"),
        (["--out", "tiny.yaml/run"], "error[E632]: cannot write to tiny.yaml/run: "),
        (["--recipe", "digitss"], "error[E606]"),
    ],
)
def test_dry_run_finds_the_errors_of_a_run(cli: Cli, tiny: str, folder: Path, options: list[str], message: str) -> None:
    (folder / "full").mkdir()
    (folder / "full" / "something").touch()
    ran = cli("train", tiny, "--dry-run", *options)
    assert (ran.code, ran.out) == (1, "")
    assert message in ran.err
    real = cli("train", tiny, *options)
    assert (real.code, message in real.err) == (1, True)


def test_dry_run_prints_steps_and_folder(cli: Cli, tiny: str, folder: Path) -> None:
    words = ("train", tiny, "--device", "cpu", "--set", "train.epochs=1")
    dry = cli(*words, "--dry-run").out.splitlines()
    real = cli(*words).out.splitlines()
    assert dry[:5] == real[:5]
    assert Path(dry[4], "metrics.json").is_file()
    assert cli(*words, "--dry-run").out.splitlines()[4] == "runs/tiny-2"
    state = torch.load(Path(dry[4], "state.pt"), weights_only=True)
    assert dry[5] == f"1 epoch of {state['steps']} steps, batch size 200"


def test_dry_run_needs_a_new_run(cli: Cli) -> None:
    ran = cli("train", "--resume", "runs/x", "--dry-run")
    assert ran.code == 2
    assert "a dry run cannot be combined with --resume" in ran.err
