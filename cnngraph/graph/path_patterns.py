"""Patterns of dotted paths, and the rules of `init` that match modules by them.

`*` is any text within one part of a path, `**` any text.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from cnngraph.ops.init import InitCall


@dataclass(frozen=True, slots=True)
class InitRule:
    """How modules of an op, or at a path with `*`, are initialised: by parameter name a number or a function."""

    match: str
    values: Mapping[str, float | InitCall]

    @property
    def pattern(self) -> str:
        """The paths that match, as a regular expression that a person can read."""
        return path_regex(self.match)

    def fits(self, op: str, path: str) -> bool:
        """Whether the rule is for a module: one of the op, or at the path."""
        return self.match == op or matches_path(self.match, path)


STARS = re.compile(r"(\*\*?)")


def path_regex(pattern: str, groups: bool = False) -> str:
    """The pattern as a regular expression, with a group for each star where they are asked for."""
    stars = {"*": "([^.]*)", "**": "(.*)"} if groups else {"*": "[^.]*", "**": ".*"}
    return "".join(stars.get(piece) or re.escape(piece) for piece in STARS.split(pattern))


def matches_path(pattern: str, path: str) -> bool:
    """Whether a path is one of a pattern's; without stars the pattern is the path."""
    return _quick_pattern(pattern).fullmatch(path) is not None if "*" in pattern else pattern == path


@lru_cache(maxsize=256)
def _quick_pattern(match: str) -> re.Pattern[str]:
    """What `path_regex` gives, in a form for which many stars take no longer than few.

    A star that another of its kind follows takes as little as it can and is never tried again: what the next one
    reaches from further on, it reaches from here as well.
    """
    *runs, last = [[re.escape(piece) for piece in run.split("*")] for run in match.split("**")]
    before = ["".join([first, *map(_least, more)]) for first, *more in runs]
    if len(last) > 1:
        first, *more, end = last
        tail = "".join([first, *map(_least, more), "[^.]*", end])
    else:
        tail = last[0]
    if before:
        tail = "".join([before[0], *(f"(?>.*?{run})" for run in before[1:]), ".*", tail])
    return re.compile(tail)


def _least(piece: str) -> str:
    """As little as it takes to come to the piece, and no second try."""
    return f"(?>[^.]*?{piece})"
