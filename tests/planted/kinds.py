"""The kinds of slip: each damages a spec at one random place, like a typo or an author's error."""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from cnngraph.diagnostics import apply_edits
from tests.planted import name_slips, syntax_slips, value_slips, wiring_slips  # noqa: F401
from tests.planted.places import ValidSpec, places
from tests.planted.slips import KINDS


@dataclass(frozen=True)
class Plant:
    """A spec with one error, on `line` of the damaged text; `what` describes the change."""

    kind: str
    spec: ValidSpec
    text: str
    line: int
    what: str


def plant(name: str, spec: ValidSpec, random: Random) -> Plant | None:
    """A slip of a kind in a spec, or None if the spec has no place for it."""
    slip = KINDS[name](places(spec), spec, random)
    if slip is None:
        return None
    edit, what = slip
    text = apply_edits(spec.text, [edit])
    return Plant(name, spec, text, edit.span.line, what) if text != spec.text else None
