"""Writes plain values in YAML's flow style on one line; reading them gives the same values."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping

from cnngraph.document.scalars import core_scalar

PLAIN_TEXT = re.compile(r"[A-Za-z_$]([\w$./*+<>=() -]*[\w$./*+<>=()-])?")  # needs no quotes
PLAIN_KEY = re.compile(r"\w[\w.-]*")


def write_flow(value: object) -> str:
    """A value on one line: `{out: 64, kernel: [3, 3], bias: false}`. Raises TypeError for what YAML does not have."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{write_key(str(key))}: {write_flow(item)}" for key, item in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(write_flow, value)) + "]"
    if isinstance(value, str):
        plain = PLAIN_TEXT.fullmatch(value) and isinstance(core_scalar(value), str)
        return value if plain else quoted(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and not math.isfinite(value):
        return ".nan" if math.isnan(value) else ".inf" if value > 0 else "-.inf"
    if isinstance(value, int | float):
        return repr(value)
    raise TypeError(f"{type(value).__name__} is not a YAML value")


def write_key(key: str) -> str:
    """A mapping's key, quoted if needed."""
    return key if PLAIN_KEY.fullmatch(key) else quoted(key)


def quoted(text: str) -> str:
    """The string in double quotes, with special and unprintable characters escaped."""
    written = json.dumps(text, ensure_ascii=False)
    return "".join(character if character.isprintable() else f"\\U{ord(character):08x}" for character in written)
