"""Typos and errors: small changes of a spec's text."""

from __future__ import annotations

import random
import re

WORDS = ["from", "when", "else", "repeat", "first", "last", "carry", "flat", "expect", "share", "unused", "op", "nodes"]
VALUES = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "2.5",
    "true",
    "null",
    "half",
    "same",
    "in",
    "$in.channels",
    "$i",
    "[1, 2]",
    "{}",
]
VALUES += [
    "$from.height // 2",
    "a",
    "b.0",
    "[a, b]",
    "relu",
    "conv",
    "concat",
    "none",
    "'x'",
    "9**9**9",
    "$item",
    "in.0",
]
CHARACTERS = list("{}[]:,$'\"-. #&*!\t0aé")
KINDS = ["number", "number", "number", "word", "word", "key", "line", "twice", "swap", "character", "away"]
PATTERNS = {"number": r"\b\d+\b", "word": r"(?<=: )[\w.$/ ]+", "key": r"\b\w+(?=: )"}


def slip(rng: random.Random, text: str) -> str:
    """The text with one change."""
    kind = rng.choice(KINDS)
    lines = text.split("\n")
    place = rng.randrange(len(lines))
    if kind == "line":
        return "\n".join(lines[:place] + lines[place + 1 :])
    if kind == "twice":
        return "\n".join([*lines[:place], lines[place], *lines[place:]])
    if kind == "swap":
        other = rng.randrange(len(lines))
        lines[place], lines[other] = lines[other], lines[place]
        return "\n".join(lines)
    if kind in ("character", "away"):
        at = rng.randrange(max(1, len(text)))
        return text[:at] + (rng.choice(CHARACTERS) if kind == "character" else "") + text[at + 1 :]
    found = list(re.finditer(PATTERNS[kind], text))
    if not found:
        return text
    match = rng.choice(found)
    new = {"number": str(rng.randint(0, 20)), "word": rng.choice(VALUES)}.get(kind) or rng.choice(WORDS)
    return text[: match.start()] + new + text[match.end() :]
