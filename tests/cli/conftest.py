"""Runs the command line in this process."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest
from jsonschema import Draft202012Validator

from cnngraph.cli.process import run
from cnngraph.schemas import document_schema

ONE = """\
cnngraph: 1
name: one
about: A test's network.
input: [3, 8, 8]
params: {out: 4}
nodes:
  conv: {op: conv, out: $out, kernel: 3, padding: half}
  act: relu
  head: [flatten, {op: linear, out: 10}]
"""

TINY = """\
cnngraph: 1
name: tiny
input: [1, 28, 28]
params: {classes: 10}
nodes: [flatten, {op: linear, out: $classes}]
train: {data: digits, epochs: 2, batch_size: 200, optimizer: sgd}
"""


class Ran(NamedTuple):
    """The exit code, stdout and stderr of a command."""

    code: int
    out: str
    err: str


Cli: TypeAlias = Callable[..., Ran]


def check_document(kind: str, text: str) -> None:
    """Validate the JSON output of a command with its schema."""
    schema = document_schema(kind)
    (error, *_) = [*Draft202012Validator(schema).iter_errors(json.loads(text)), None]
    assert error is None, f"{error.json_path}: {error.message}"


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("check", path)` runs a command; JSON output must match its schema."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CNNGRAPH_DEBUG", raising=False)

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        command_line = [str(argument) for argument in arguments]
        ran = Ran(run(command_line), *capsys.readouterr())
        if "json" in command_line and "--format" in command_line and ran.out:
            is_blocks = "--blocks" in command_line or (command_line[0] == "show" and ran.out.startswith("["))
            check_document("blocks" if is_blocks else command_line[0], ran.out)
        return ran

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working directory."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def one(folder: Path) -> str:
    """The name of a small spec in the working directory."""
    (folder / "one.yaml").write_text(ONE)
    return "one.yaml"


@pytest.fixture
def tiny(folder: Path) -> str:
    (folder / "tiny.yaml").write_text(TINY.replace("optimizer: sgd", "optimizer: {name: sgd, lr: 0.1}"))
    return "tiny.yaml"
