"""Patterns of dotted paths, and the rules of `init`, which match modules by path.

`*` matches any text without a dot, `**` any text.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache

from cnngraph.diagnostics import SpecError, did_you_mean
from cnngraph.frozen import frozen
from cnngraph.ops.init import InitCall


@frozen
class InitRule:
    """How the modules of an op, or those whose path matches, are initialised: a number or a function per parameter.

    A rule of a network that is a node holds for the paths that begin with `within`, and matches the rest of them.
    """

    match: str
    values: Mapping[str, float | InitCall]
    within: str = ""

    @property
    def pattern(self) -> str:
        """The paths that match, as a readable regular expression."""
        return re.escape(self.within) + path_regex(self.match)

    def fits(self, op: str, path: str) -> bool:
        """Whether the rule applies to the module of an op at a path."""
        if not path.startswith(self.within):
            return False
        return self.match == op or matches_path(self.match, path[len(self.within) :])


STARS = re.compile(r"(\*\*?)")


def path_regex(pattern: str, groups: bool = False) -> str:
    """The pattern as a regular expression; with `groups`, each star is a capturing group."""
    stars = {"*": "([^.]*)", "**": "(.*)"} if groups else {"*": "[^.]*", "**": ".*"}
    return "".join(stars.get(piece) or re.escape(piece) for piece in STARS.split(pattern))


def matches_path(pattern: str, path: str) -> bool:
    """Whether a path matches a pattern; a pattern without stars matches only itself."""
    return _linear_pattern(pattern).fullmatch(path) is not None if "*" in pattern else pattern == path


def matching_keys(patterns: Iterable[str], keys: Iterable[str], option: str, where: str) -> dict[str, None]:
    """The keys of weights that match the patterns of an option, or are in a module that matches, in order.

    Raises SpecError (E706) for a pattern that matches none.
    """
    matched: set[str] = set()
    all_keys = list(keys)
    for pattern in patterns:
        found = {key for key in all_keys if any(matches_path(pattern, path) for path in _outer(key))}
        if not found:
            help = did_you_mean(pattern, dict.fromkeys(path for key in all_keys for path in _outer(key)))
            raise SpecError.of("E706", f"`--{option} {pattern}` matches no weight of {where}", help=help)
        matched |= found
    return {key: None for key in all_keys if key in matched}


def _outer(key: str) -> Iterator[str]:
    """`a`, `a.b` and `a.b.weight` of `a.b.weight`."""
    parts = key.split(".")
    return (".".join(parts[:stop]) for stop in range(1, len(parts) + 1))


@lru_cache(maxsize=2048)  # more than there are rules in a spec
def _linear_pattern(match: str) -> re.Pattern[str]:
    """The same language as `path_regex`, without exponential backtracking for patterns with many stars.

    A star followed by another star of its kind matches as little as possible and never backtracks (an atomic group):
    whatever the next star could reach from a later position, it can also reach from this one.
    """
    *runs, last = [[re.escape(piece) for piece in run.split("*")] for run in match.split("**")]
    before = ["".join([first, *map(_shortest_to, more)]) for first, *more in runs]
    if len(last) > 1:
        first, *more, end = last
        tail = "".join([first, *map(_shortest_to, more), "[^.]*", end])
    else:
        tail = last[0]
    if before:
        tail = "".join([before[0], *(f"(?>.*?{run})" for run in before[1:]), ".*", tail])
    return re.compile(tail)


def _shortest_to(piece: str) -> str:
    """The shortest text that ends with the piece, without backtracking."""
    return f"(?>[^.]*?{piece})"
