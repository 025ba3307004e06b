"""A change of the text that may be a fix, with its title."""

from __future__ import annotations

from cnngraph.diagnostics import Edit, Fix, Question
from cnngraph.frozen import frozen


@frozen(slots=False)
class Candidate:
    """A change that may be a fix; cheaper ones are tried first.

    Candidates with the same `guess` are values that the error does not imply: if several of them fix it, none is
    offered unless `support`, the author's own uses elsewhere, clearly favours one. `setting` is the parameter that is
    added, such as `conv padding: half`, if several nodes may lack it. A `weak` change has no evidence elsewhere in the
    text: adding the same parameter to several nodes is likelier.
    """

    cost: float
    title: str
    edits: tuple[Edit, ...]
    guess: str = ""
    support: int = 0
    setting: str = ""
    weak: bool = False

    @property
    def change(self) -> str:
        """The change, for messages that list several."""
        return self.title.meant if isinstance(self.title, Question) else self.title

    @property
    def fix(self) -> Fix:
        """The fix to offer once the change is verified."""
        return Fix(self.title, self.edits)
