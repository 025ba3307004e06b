"""Other names for the keys of a weights file: patterns with stars, as `weights: renames:` of a spec has them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.graph.path_patterns import STARS, path_regex


class Renames:
    """Rules from old names to new ones, of which the first that fits a key counts.

    `*` is part of a name between two dots, `**` anything; the stars of the new name are what those of the old one
    stood for, in their order. Raises SpecError (E704) where a rule has more stars on one side.
    """

    def __init__(self, rules: Mapping[str, str]) -> None:
        self._rules = [_rule(old, new) for old, new in rules.items()]

    def new(self, key: str) -> str:
        """What a key is called."""
        fits = ((pattern.fullmatch(key), template) for pattern, template in self._rules)
        return next((match.expand(template) for match, template in fits if match), key)

    def all(self, keys: Iterable[str], file: str) -> dict[str, str]:
        """The old name by each new one. Raises SpecError (E704) where two keys of the file become the same."""
        old: dict[str, str] = {}
        for key in keys:
            new = self.new(key)
            if new in old:
                message = f"two weights of {file} would be called {new}: {old[new]} and {key}"
                raise SpecError([Diagnostic("E704", message, help="look at the renames")])
            old[new] = key
        return old


def _rule(old: str, new: str) -> tuple[re.Pattern[str], str]:
    """A pattern for keys, and the template of their new names."""
    stars = STARS.findall(old)
    if len(stars) != len(STARS.findall(new)):
        raise SpecError([Diagnostic("E704", f"the rename of {old} to {new} needs as many stars on both sides")])
    count = iter(range(1, len(stars) + 1))
    return re.compile(path_regex(old, groups=True)), STARS.sub(
        lambda _: f"\\g<{next(count)}>", new.replace("\\", "\\\\")
    )
