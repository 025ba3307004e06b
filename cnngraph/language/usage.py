"""The names that expressions use."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from cnngraph.diagnostics import SpecError
from cnngraph.document import read_file

MAX_VARIANTS = 200  # files that may extend one whose params nothing uses
EXTENDED = re.compile(r"^extends: *['\"]?([^\s'\"#]+)", re.MULTILINE)
USED = re.compile(r"\$(\w+)")


def names_used(texts: Iterable[str]) -> list[str]:
    """The names that follow a `$`, in order of appearance."""
    return [name for text in texts if "$" in text for name in USED.findall(text)]


def used_by_variants(name: str, folder: Path) -> set[str]:
    """The names that expressions use in the files of a folder that extend the spec of that name."""
    used: set[str] = set()
    for path in sorted(folder.glob("*.yaml"))[:MAX_VARIANTS]:
        try:
            text = read_file(path).text
        except SpecError:
            continue
        extended = EXTENDED.search(text)
        if extended and Path(extended[1]).stem == name:
            used.update(names_used([text]))
    return used
