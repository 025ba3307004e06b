"""Pages of the guide: each is run from beginning to end in its own folder."""

from __future__ import annotations

import contextlib
import io
import re
import sys
from pathlib import Path

import pytest

from tests.docs.console import matches, session, trains, without_variation
from tests.docs.page import Example, Page
from tests.library import ROOT

DOCS = ROOT / "docs"
PAGES = [
    "guide/how-it-works.md",
    "guide/change.md",
    "guide/from-pytorch.md",
    "guide/fine-tuning.md",
    "guide/plugins.md",
    "python.md",
]
SKIPPED = {"sh", "toml", "py"}  # installation, downloads and handwritten files


class Run:
    """A page that is run: its files, Python session and commands, in order."""

    def __init__(self, page: Page, capsys: pytest.CaptureFixture[str], refresh: bool) -> None:
        self.page, self.capsys, self.refresh = page, capsys, refresh
        self.namespace: dict[str, object] = {"__name__": "page"}

    def step(self, example: Example) -> None:
        """Run a block and compare its output with the page."""
        if example.file:
            Path(example.file).write_text(example.text, encoding="utf-8")
        elif example.language == "console":
            found = session(example.text, self.capsys)
            same = (
                matches(without_variation(example.text), without_variation(found))
                if trains(example.text)
                else found == example.text
            )
            self.compare(same, f"```console\n{example.text}```", f"```console\n{found}```")
        elif example.language == "python":
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                exec(compile(example.text, f"{self.page.path.name}: {example.name}", "exec"), self.namespace)
            if example.below is not None:
                above = f"```python\n{example.text}```\n```text\n"
                same = printed.getvalue() == example.below
                self.compare(same, f"{above}{example.below}```", f"{above}{printed.getvalue()}```")
        else:
            assert example.language in SKIPPED, example.name

    def compare(self, same: bool, shown: str, found: str) -> None:
        """Compare the output with the page, or refresh the page."""
        if self.refresh and not same:
            self.page.refresh(shown, found)
        else:
            assert same, found


@pytest.mark.parametrize("name", PAGES)
def test_a_page_runs(
    name: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    run = Run(Page(DOCS / name), capsys, bool(request.config.getoption("--refresh-golden")))
    known = set(sys.modules)
    try:
        for example in run.page.examples():
            run.step(example)
    finally:
        for module in set(sys.modules) - known:  # modules from the page's files
            if str(getattr(sys.modules[module], "__file__", None)).startswith(str(tmp_path)):
                del sys.modules[module]


MARKDOWN = sorted(path for path in [*DOCS.rglob("*.md"), *ROOT.glob("*.md")])


@pytest.mark.parametrize("path", MARKDOWN, ids=lambda path: path.relative_to(ROOT).as_posix())
def test_links_are_valid(path: Path) -> None:
    assert Page(path).dead_links() == []


def test_every_page_is_linked() -> None:
    """By links, starting from the README."""
    found, waiting = set[Path](), [ROOT / "README.md"]
    while waiting:
        page = waiting.pop()
        if page in found or page.suffix != ".md" or not page.is_file():
            continue
        found.add(page)
        for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
            waiting.append((page.parent / target).resolve())
    assert [path.relative_to(ROOT).as_posix() for path in MARKDOWN if path not in found and "docs" in path.parts] == []
