"""Console blocks of a page: their commands are run and their output is compared with the page."""

from __future__ import annotations

import re
import runpy
import shlex

import pytest

from cnngraph.cli.process import run

ELIDED = "…"
VARIES = (  # parts of training output that differ between runs and machines
    r"\d+:\d\d|\d+\.\d+( s| ?%)?",
    r"(?<=#) +\d[\d,]*",  # images/s, behind the time
    r"(?<=digits · ).*",
    r"(?<=best epoch )\d+",
    r" \*$",
)


def session(text: str, capsys: pytest.CaptureFixture[str]) -> str:
    """The block with the current output of its commands."""
    found = ""
    for line in text.splitlines():
        if line.startswith("$ "):
            _call(*shlex.split(line[2:]))
            output = capsys.readouterr()
            found += f"{line}\n{output.out}{output.err}"
    return found


def _call(program: str, *arguments: str) -> None:
    if program == "python":
        runpy.run_path(arguments[0], run_name="__main__")
    else:
        assert program == "cnngraph"
        run(list(arguments))


def matches(shown: str, found: str) -> bool:
    """Whether a page shows the output; a line `…` stands for any lines, and `…` within a line for any text."""
    pattern = ""
    for line in shown.splitlines():
        text = re.escape(line).replace(ELIDED, ".*")
        pattern += r"(?:.*\n)*?" if line == ELIDED else rf"{text}\n"
    return re.fullmatch(pattern, found) is not None


def trains(text: str) -> bool:
    """Whether the commands of a block train a network, so that their numbers vary."""
    return re.search(r"^\$ (cnngraph (train|runs)|python)\b", text, re.MULTILINE) is not None


def without_variation(text: str) -> str:
    """The text without the parts that vary."""
    for pattern in VARIES:
        text = re.sub(pattern, "#", text, flags=re.MULTILINE)
    return re.sub(" +", " ", text)
