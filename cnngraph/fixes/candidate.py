"""A change of the text that may be a fix, with what is said of it."""

from __future__ import annotations

from dataclasses import dataclass

from cnngraph.diagnostics import Edit, Fix, Question


@dataclass(frozen=True)
class Candidate:
    """A change that may be a fix; those that cost less are tried first.

    Changes of one `guess` are values that the error itself does not speak for: where several of them would do, none is
    offered, unless the author's own use elsewhere, `support`, clearly favours one. `setting` is what the change gives a
    node, `conv padding: half`, where that may be what several nodes of an op lack.
    """

    cost: float
    title: str
    edits: tuple[Edit, ...]
    guess: str = ""
    support: int = 0
    setting: str = ""

    @property
    def change(self) -> str:
        """What would be changed, to be named beside other changes."""
        return self.title.meant if isinstance(self.title, Question) else self.title

    @property
    def fix(self) -> Fix:
        """The change as it is offered once it is verified."""
        return Fix(self.title, self.edits)
