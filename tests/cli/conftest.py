"""The command line in this process: arguments in, exit code and texts out."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple, TypeAlias

import pytest

from cnngraph.cli.process import run

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


class Ran(NamedTuple):
    """How a run of the command line ended."""

    code: int
    out: str
    err: str


Cli: TypeAlias = Callable[..., Ran]


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Cli:
    """`cli("check", path)`: runs a command."""
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.delenv("CNNGRAPH_DEBUG", raising=False)

    def call(*arguments: object) -> Ran:
        capsys.readouterr()
        code = run([str(each) for each in arguments])
        return Ran(code, *capsys.readouterr())

    return call


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty working folder."""
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def one(folder: Path) -> str:
    """A small spec, by its name in the working folder."""
    (folder / "one.yaml").write_text(ONE)
    return "one.yaml"
