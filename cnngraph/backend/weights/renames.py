"""Renames of the keys of a weights file: patterns with stars, as in `weights: renames:` of a spec."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cnngraph.diagnostics import SpecError
from cnngraph.graph.path_patterns import STARS, path_regex


class Renames:
    """Rules from old keys to new ones; the first rule that matches a key applies.

    `*` matches any text without a dot, `**` any text. The stars of the new key stand for what those of the old key
    matched, in order. Raises SpecError (E704) if a rule has different numbers of stars on its two sides.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = [_rule(old, new) for old, new in rules.items()]

    def new(self, key: str) -> str:
        """The new key for a key; unchanged if no rule matches."""
        fits = ((pattern.fullmatch(key), template) for pattern, template in self._rules)
        return next((match.expand(template) for match, template in fits if match), key)

    def all(self, keys: Iterable[str], file: str) -> dict[str, str]:
        """The old key of each new one. Raises SpecError (E704) if two keys of the file are renamed to the same key."""
        old: dict[str, str] = {}
        for key in keys:
            new = self.new(key)
            if new in old:
                message = f"two keys of {file} would be renamed to `{new}`: `{old[new]}` and `{key}`"
                raise SpecError.of("E704", message, help="change `weights: renames:` in the spec")
            old[new] = key
        return old


def _rule(old: str, new: str) -> tuple[re.Pattern[str], str]:
    """A pattern for old keys, and the template of the new ones."""
    stars = STARS.findall(old)
    if len(stars) != len(STARS.findall(new)):
        message = f"the rename of `{old}` to `{new}` must have the same number of stars on both sides"
        raise SpecError.of("E704", message)
    count = iter(range(1, len(stars) + 1))
    return re.compile(path_regex(old, groups=True)), STARS.sub(
        lambda _: f"\\g<{next(count)}>", new.replace("\\", "\\\\")
    )
