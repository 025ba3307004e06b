"""docs/errors.md: every code with its explanation, and its examples with what cnngraph prints for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from pathlib import Path
from shlex import split
from tempfile import TemporaryDirectory

from cnngraph.cli.process import run
from cnngraph.diagnostics.codes import GROUPS, Code, Example, find

REPORTED = re.compile(r"^(?P<severity>error|warning)\[(?P<code>[EW]\d{3})\]: .*(?:\n(?! *$).*)*", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What an example's commands did: the exit code of each, and what the last one printed."""

    exit_codes: tuple[int, ...]
    output: str

    @property
    def reported(self) -> list[str]:
        """The codes that the last command reported, in order."""
        return [found["code"] for found in REPORTED.finditer(self.output)]

    def message(self, code: str) -> str:
        """The first diagnostic with this code, as printed."""
        return next(found[0] for found in REPORTED.finditer(self.output) if found["code"] == code)


@cache
def outcome(code: str, wrong: bool) -> Outcome:
    """Run one of the examples of a code in a temporary folder."""
    entry = find(code)
    assert entry
    example = entry.wrong if wrong else entry.right
    assert example
    with TemporaryDirectory() as name, chdir(name):
        _write(example, Path())
        done = [_called(command) for command in example.commands]
    return Outcome(tuple(exit_code for exit_code, _ in done), done[-1][1])


def _write(example: Example, folder: Path) -> None:
    for name, content in example.files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content.encode() if isinstance(content, str) else content)


def _called(command: str) -> tuple[int, str]:
    """The exit code of a command and what it prints; cnngraph runs in this process, anything else in a shell."""
    program, *arguments = split(command)
    if program != "cnngraph":
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)))  # for python
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout + done.stderr
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        exit_code = run(arguments)
    return exit_code, out.getvalue()
