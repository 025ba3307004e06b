"""The selection of parameters by patterns, which parameter groups and `freeze` share."""

from __future__ import annotations

from cnngraph.fields import Either, ListOf, Optional, Text, field
from cnngraph.frozen import Frozen

MAX_ENTRIES = 100
PATTERNS = Either((Text(), ListOf(Text(), 1, MAX_ENTRIES)))


class Selection(Frozen):
    """Parameters that some patterns match and others do not."""

    match: str | tuple[str, ...] = field(
        PATTERNS,
        "an op, `norm` for all normalization ops, `head` for the last layer, the last component of a parameter's name, "
        "a path, or a list of these",
    )
    exclude: str | tuple[str, ...] | None = field(
        Optional(PATTERNS), "parameters to exclude, by the same patterns", None
    )

    @property
    def matches(self) -> tuple[str, ...]:
        """The patterns in `match`, as a tuple."""
        return _as_tuple(self.match)

    @property
    def excludes(self) -> tuple[str, ...]:
        """The patterns in `exclude`, as a tuple."""
        return _as_tuple(self.exclude or ())


def _as_tuple(patterns: str | tuple[str, ...]) -> tuple[str, ...]:
    return (patterns,) if isinstance(patterns, str) else patterns
