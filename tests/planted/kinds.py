"""The kinds of slip: each damages a spec at one random place, as an author's typo or error would."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from cnngraph.diagnostics import apply_edits
from tests.planted import name_slips, syntax_slips, value_slips, wiring_slips  # noqa: F401
from tests.planted.places import Good, places
from tests.planted.slips import KINDS


@dataclass(frozen=True)
class Plant:
    """A spec with one error: `line` is where it is, in the damaged text, and `what` says what was changed."""

    kind: str
    good: Good
    text: str
    line: int
    what: str


def plant(name: str, good: Good, random: Random) -> Plant | None:
    """A slip of a kind in a spec, if it has a place for one."""
    slip = KINDS[name](places(good), good, random)
    if slip is None:
        return None
    edit, what = slip
    text = apply_edits(good.text, [edit])
    return Plant(name, good, text, edit.span.line, what) if text != good.text else None
