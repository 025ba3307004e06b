"""Which modules a rule of `init` is for, written from docs/guide/weights.md."""

from __future__ import annotations

import re


def fits(match: str, op: str, path: str) -> bool:
    """Whether a rule is for a module: `*` is any part of one name, `**` anything."""
    if "*" not in match:
        return match in (op, path)
    pattern = "".join(
        {"**": ".*", "*": "[^.]*"}.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*?)", match)
    )
    return re.fullmatch(pattern, path) is not None
