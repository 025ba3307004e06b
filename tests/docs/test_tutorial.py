"""docs/tutorial.md: run from beginning to end, its commands print what it shows."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests.docs.console import ELIDED, matches, session, trains, without_variation
from tests.docs.page import TUTORIAL, Example

PICTURE = TUTORIAL.path.parent / "images" / "gated.svg"


def edited(text: str, diff: str) -> str:
    """The text with a diff applied; its old lines must be unique."""
    lines = diff.splitlines(keepends=True)
    old = "".join(line[1:] for line in lines if line[0] in " -")
    new = "".join(line[1:] for line in lines if line[0] in " +")
    assert text.count(old) == 1, diff
    return text.replace(old, new)


def writes(example: Example, before: str) -> str:
    """The content of a file after a step that shows the whole file or a diff."""
    return edited(before, example.text.partition("\n")[2]) if example.language == "diff" else example.text


def compare(example: Example, found: str, refresh: bool) -> None:
    """Compare a console block with the output of its commands, except elided and varying parts."""
    same = (
        matches(without_variation(example.text), without_variation(found))
        if trains(example.text)
        else matches(example.text, found)
    )
    if refresh and not same and ELIDED not in example.text:
        TUTORIAL.refresh(f"```console\n{example.text}```", f"```console\n{found}```")
    else:
        assert same, f"{example.name}:\n{found}"


def test_the_tutorial_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    refresh = bool(request.config.getoption("--refresh-golden"))
    monkeypatch.chdir(tmp_path)
    for example in TUTORIAL.examples():
        if example.language == "console":
            compare(example, session(example.text, capsys), refresh)
        else:
            assert example.file, f"{example.name} names no file"
            path = tmp_path / example.file
            before = path.read_text(encoding="utf-8") if path.exists() else ""
            path.write_text(writes(example, before), encoding="utf-8")
    compare_pictures(tmp_path / "gated.svg", refresh)
    for run in ("gated-1", "plain-1"):
        metrics = json.loads((tmp_path / "runs" / run / "metrics.json").read_text(encoding="utf-8"))
        assert metrics["test"]["accuracy"] > 0.85


def compare_pictures(found: Path, refresh: bool) -> None:
    """Compare the texts of the page's picture with a new one; the layout may differ."""
    fresh = found.read_text(encoding="utf-8")
    if refresh and texts(fresh) != texts(PICTURE.read_text(encoding="utf-8")):
        PICTURE.write_text(fresh, encoding="utf-8")
    assert texts(PICTURE.read_text(encoding="utf-8")) == texts(fresh)


def texts(svg: str) -> list[str]:
    return sorted(re.findall(r"<text[^>]*>([^<]*)", svg))


def test_the_diffs_lead_to_the_final_file() -> None:
    versions = [""]
    for example in TUTORIAL.examples():
        if example.file == "gated.yaml":
            versions.append(writes(example, versions[-1]))
    *_, before, last = (version.splitlines() for version in versions)
    assert [line for line in before if line not in last] == ["  unit: unit", "  fc: {op: linear, out: 10}"]
