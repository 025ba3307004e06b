"""`cnngraph train` with `--handler` and `--log`."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cnngraph import packages
from tests.cli.conftest import Cli

HANDLERS = """
from ignite.engine import Events

def count(training):
    training.trainer.add_event_handler(Events.EPOCH_COMPLETED, write, training.folder / "epochs.txt")

def write(engine, path):
    with path.open("a") as file:
        file.write(f"{engine.state.epoch} {engine.state.iteration}\\n")

def fail(engine):
    raise ValueError("no more")

failing = (Events.ITERATION_COMPLETED, fail)
"""


def test_handler_in_the_working_directory(cli: Cli, tiny: str, folder: Path, fresh_modules: None) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    assert cli("train", tiny, "--quiet", "--out", "run", "--handler", "train_handlers:count").code == 0
    assert (folder / "run" / "epochs.txt").read_text() == "1 27\n2 54\n"


def test_failing_handler(cli: Cli, tiny: str, folder: Path, fresh_modules: None) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    ran = cli("train", tiny, "--quiet", "--out", "run", "--handler", "train_handlers:failing")
    assert ran.code == 1
    assert ran.err == (
        "error[E649]: the handler `fail` failed: ValueError: no more\n"
        f"  = raised at {folder / 'train_handlers.py'}:12\n"
        "  help: fix the handler\n"
    )


@pytest.mark.parametrize(
    ("options", "code", "message"),
    [
        (
            ["--handler", "train_handlers:cuont"],
            1,
            "error[E649]: the module `train_handlers` has no `cuont`\n  help: did you mean `count`?",
        ),
        (["--handler", "train_handler:count"], 1, "error[E649]: there is no module `train_handler` for the handler"),
        (["--handler", "train_handlers:HANDLERS"], 1, "error[E649]: the module `train_handlers` has no `HANDLERS`"),
        (
            ["--handler", "train_handlers:__name__"],
            1,
            "error[E649]: `'train_handlers'` is not a handler: it is of type str",
        ),
        (["--handler", "count"], 2, "error: --handler must be MODULE:NAME, as in my_handlers:log_rate, got count"),
        (["--log", "tensorbord"], 2, "error: "),
        (["--log-every", "10"], 2, "error: --log-every needs a logger, such as --log tensorboard"),
    ],
)
def test_wrong_handlers_and_loggers(
    cli: Cli, tiny: str, folder: Path, fresh_modules: None, options: list[str], code: int, message: str
) -> None:
    (folder / "train_handlers.py").write_text(HANDLERS)
    ran = cli("train", tiny, "--out", "run", *options)
    assert ran.code == code
    assert ran.err.startswith(message)
    assert not (folder / "run").exists()


def test_a_logger_without_its_package(cli: Cli, tiny: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    there = packages._is_there
    monkeypatch.setattr(packages, "_is_there", lambda module: module != "wandb" and there(module))
    ran = cli("train", tiny, "--out", "run", "--log", "wandb")
    assert ran.code == 1
    assert ran.err.startswith("error: W&B is not installed\n")
    assert "pip install wandb" in ran.err
    assert not (folder / "run").exists()


@pytest.fixture
def fresh_modules(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Import modules in the working directory anew, and unload them afterwards."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("train_handlers", None)
