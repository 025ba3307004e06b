"""Which modules an `init` rule matches, written from docs/guide/weights.md."""

from __future__ import annotations

import re


def fits(match: str, op: str, path: str) -> bool:
    """Whether a rule matches a module: `*` is any text within one name, `**` any text."""
    if "*" not in match:
        return match in (op, path)
    pattern = "".join(
        {"**": ".*", "*": "[^.]*"}.get(piece) or re.escape(piece) for piece in re.split(r"(\*\*?)", match)
    )
    return re.fullmatch(pattern, path) is not None
