"""docs/handlers.md: its files and commands run as printed."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.docs.console import session
from tests.docs.page import Page
from tests.library import ROOT

PAGE = Page(ROOT / "docs" / "handlers.md")
NET = """\
cnngraph: 1
name: net
input: [1, 28, 28]
nodes: [{op: max_pool, kernel: 7}, flatten, {op: linear, out: 10}]
"""
PACKAGES = {"ProgressBar": "tqdm", "--log tensorboard": "tensorboard", "--log mlflow": "mlflow"}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A folder with the network and the files of the page."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", (tmp_path / "mlruns").as_uri())
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    monkeypatch.setattr(sys, "path", list(sys.path))
    (tmp_path / "net.yaml").write_text(NET)
    for example in PAGE.examples():
        if example.language == "python":
            assert example.file, f"{example.name} names no file"
            (tmp_path / example.file).write_text(example.text)
    yield tmp_path
    sys.modules.pop("my_handlers", None)


COMMANDS = [
    line for example in PAGE.examples() if example.language == "console" for line in example.text.splitlines()
] + ["$ python profiled.py"]


@pytest.mark.parametrize("command", COMMANDS)
def test_the_commands_run(command: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shown = (folder / "profiled.py").read_text() if "python" in command else command
    for what, package in PACKAGES.items():
        if what in shown:
            pytest.importorskip(package)
    output = session(command, capsys)
    assert (folder / "runs" / "net-1" / "best.safetensors").exists(), output
    assert "error" not in output
    if "print_rate" in command:
        assert output.count(": learning rate ") == len(re.findall(r"^ *\d+/\d+ ", output, re.MULTILINE))
    if "python" in command:
        assert re.search(r"^\d+\.\d+$", output, re.MULTILINE)


def test_the_page_names_existing_things() -> None:
    from cnngraph.cli.commands.train import train
    from cnngraph.train import HandlerView
    from cnngraph.train.loop.loggers import LOGGERS

    loggers = re.findall(r"^\| `(\w+)` \| `\w+`", PAGE.section("Loggers"), re.MULTILINE)
    choices = next(option.type for option in train.params if option.name == "log")
    assert loggers == list(LOGGERS) == list(choices.choices)  # type: ignore[attr-defined]
    table = PAGE.section("The training").partition("What an engine's")[0]
    named = {name for name in re.findall(r"`(\w+)(?:\(\w+\))?`", table) if name not in ("validation", "test")}
    assert {name for name in named if not hasattr(HandlerView, name)} <= set(HandlerView.__dataclass_fields__)
    assert set(HandlerView.__dataclass_fields__) - {"opened"} <= named
    assert not [link for link in PAGE.dead_links() if not link.startswith("https://")]
