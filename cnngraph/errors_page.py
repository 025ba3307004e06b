"""Generates docs/errors.md: every code with its explanation, its examples, and what cnngraph prints for them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping
from contextlib import chdir, redirect_stderr, redirect_stdout
from functools import cache
from io import StringIO
from pathlib import Path
from shlex import split
from tempfile import TemporaryDirectory
from textwrap import wrap

from cnngraph.cli.process import run
from cnngraph.diagnostics.codes import Code, Example, Group
from cnngraph.frozen import frozen
from cnngraph.lint.codes import all_groups

WIDTH = 120
REPORTED = re.compile(r"^(?:error\[(?=E)|warning\[(?=W))(?P<code>[EW]\d{3})\]: .*(?:\n(?: |\d+ \|).*)*", re.MULTILINE)
INTRODUCTION = """\
# Errors and warnings

Every message has a code in brackets. `cnngraph explain E203` prints the section of a code, and `cnngraph explain` lists
all codes. Codes that start with E are errors: the command stops with exit code 1. Codes that start with W are warnings,
which do not stop a command.

This page is generated from `cnngraph/diagnostics/codes` and the lint rules by `python -m cnngraph.generate`. All
examples are tested: below each wrong one is the output of cnngraph, and the right one does not have the error. [Lint
rules](lint.md) has more examples of the rules.
"""


@frozen
class Outcome:
    """The exit codes of an example's commands, and the output of the last one."""

    exit_codes: tuple[int, ...]
    output: str

    @property
    def reported(self) -> list[str]:
        """The codes that the last command reported, in order."""
        return [found["code"] for found in REPORTED.finditer(self.output)]

    def message(self, code: str) -> str:
        """The first diagnostic with this code, as printed."""
        return next(found[0] for found in REPORTED.finditer(self.output) if found["code"] == code)


def outcome(example: Example) -> Outcome:
    """Run an example in a temporary folder. Cached."""
    return _outcome(tuple(example.files.items()), example.commands)


@cache
def _outcome(files: tuple[tuple[str, str | bytes], ...], commands: tuple[str, ...]) -> Outcome:
    with TemporaryDirectory() as name, chdir(name):
        for file, content in files:
            path = Path(file)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
        done = [_called(command) for command in commands]
    return Outcome(tuple(exit_code for exit_code, _ in done), done[-1][1])


def _called(command: str) -> tuple[int, str]:
    """Run a command: cnngraph in this process, others in a shell. Returns exit code and output."""
    program, *arguments = split(command)
    if program != "cnngraph":
        path = os.pathsep.join((os.path.dirname(sys.executable), os.environ.get("PATH", os.defpath)))  # for python
        environment = {**os.environ, "PATH": path}
        done = subprocess.run(command, shell=True, check=False, capture_output=True, text=True, env=environment)
        return done.returncode, done.stdout + done.stderr
    with redirect_stdout(StringIO()) as out, redirect_stderr(out):
        exit_code = run(arguments)
    return exit_code, out.getvalue()


def errors_page() -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *(line for group in all_groups() for line in _group(group))))


def _group(group: Group) -> Iterator[str]:
    """A table of the codes of a group, then a section for each."""
    yield from (f"## {group.title}", "", "| code | what it is |", "| --- | --- |")
    yield from (f"| [`{entry.code}`](#{entry.code.lower()}) | {entry.title} |" for entry in group.codes)
    yield ""
    for entry in group.codes:
        yield from _entry(entry)


def _entry(entry: Code) -> Iterator[str]:
    yield from (f"### {entry.code}", "", f"**{entry.title[0].upper()}{entry.title[1:]}** ({entry.severity})", "")
    for paragraph in entry.explanation:
        yield from (*wrap(paragraph, WIDTH, break_long_words=False, break_on_hyphens=False), "")
    if not entry.wrong or not entry.right:
        yield from (f"There is no example: {entry.without_example[0].lower()}{entry.without_example[1:]}", "")
        return
    wrong, right = entry.wrong, entry.right
    yield from _example("Wrong", wrong.texts, wrong.images)
    yield from _console(wrong.commands, outcome(wrong).message(entry.code))
    changed = right.changed_from(wrong)
    images = right.images if right.images != wrong.images else {}
    yield from _example("Right", changed, images)
    if right.commands != wrong.commands or not (changed or images):
        yield from _console(right.commands)


def _example(title: str, texts: Mapping[str, str], images: Mapping[str, int]) -> Iterator[str]:
    """The files of an example, and the number of images in each folder."""
    for name, content in texts.items():
        language = {".yaml": "yaml", ".py": "python"}.get(Path(name).suffix, "text")
        yield from (f"{title}, `{name}`:", "", f"```{language}", content.rstrip("\n"), "```", "")
    if images:
        folders = ", ".join(f"{count} in `{folder}`" for folder, count in images.items())
        yield from (f"{title}, images: {folders}.", "")
    if not texts and not images:
        yield from (f"{title}:", "")


def _console(commands: Iterable[str], *printed: str) -> Iterator[str]:
    yield from ("```console", *(f"$ {command}" for command in commands), *printed, "```", "")
