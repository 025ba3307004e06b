"""The names that expressions use."""

from __future__ import annotations

import re
from collections.abc import Iterable

USED = re.compile(r"\$(\w+)")


def names_used(texts: Iterable[str]) -> list[str]:
    """The names that follow a `$`, in order of appearance."""
    return [name for text in texts if "$" in text for name in USED.findall(text)]
