"""Plain scalars by YAML 1.2's core schema."""

from __future__ import annotations

import re

NULLS = {"", "~", "null", "Null", "NULL"}
TRUTH = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
INTEGER = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")


def core_scalar(text: str) -> str | int | float | bool | None:
    """A plain scalar by YAML 1.2's core schema: `1e-3` is a number, `no` is a string."""
    if text in NULLS:
        return None
    if text in TRUTH:
        return TRUTH[text]
    if not (text[0].isdigit() or text[0] in "+-."):
        return text
    if INTEGER.fullmatch(text):
        return int(text, {"o": 8, "x": 16}.get(text[1:2], 10))
    if FLOAT.fullmatch(text):
        return float(text.lower().replace(".inf", "inf").replace(".nan", "nan"))
    return text
