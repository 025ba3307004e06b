"""The console blocks of a page: their commands are run, and what a page shows is compared with what they print."""

from __future__ import annotations

import re
import runpy
import shlex

import pytest

from cnngraph.cli.process import run

ELIDED = "…"
VARIES = (  # what differs from run to run and from machine to machine, where a network has learned
    r"\d+:\d\d|\d+\.\d+( s| ?%)?",
    r"\d[\d,]* images/s",
    r"(?<=test\) · ).*",
    r"(?<=best epoch )\d+",
    r" \*$",
)


def session(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The block again, with what its commands print now."""
    found = ""
    for line in text.splitlines():
        if line.startswith("$ "):
            _call(*shlex.split(line[2:]))
            said = capsys.readouterr()
            found += f"{line}\n{said.out}{said.err}"
    return found


def _call(program: str, *arguments: str) -> None:
    if program == "python":
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        assert program == "cnngraph"
        run(list(arguments))


def alike(shown: str, found: str) -> bool:
    """Whether a page shows what was found; a line of … stands for any lines, and within a line for any words."""
    pattern = ""
    for line in shown.splitlines():
        text = re.escape(line).replace(ELIDED, ".*")
        pattern += r"(?:.*\n)*?" if line == ELIDED else rf"{text}\n"
    return re.fullmatch(pattern, found) is not None


def learned(text: str) -> bool:
    """Whether the block tells of a network that has learned, so that its figures are no one else's."""
    return re.search(r"^\$ (cnngraph (train|runs)|python)\b", text, re.MULTILINE) is not None


def steady(text: str) -> str:
    """What stays the same of such a block from machine to machine."""
    for pattern in VARIES:
        text = re.sub(pattern, "#", text, flags=re.MULTILINE)
    return re.sub(" +", " ", text)
