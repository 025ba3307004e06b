"""Help for an error, as strings with structure, so that no code has to parse a sentence.

A plain string is advice, which is shown next to a verified fix. The classes here are replaced by such a fix.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from cnngraph.nearest import nearest
from cnngraph.text import in_backticks


class Guess(str):
    """A change that has not been verified."""

    __slots__ = ()


class Question(Guess):
    """`` did you mean `stride: 2` at net.yaml:7? ``: a guess, phrased as a question about what is `meant`."""

    meant: str

    def __new__(cls, meant: str) -> Self:
        question = super().__new__(cls, f"did you mean {meant}?")
        question.meant = meant
        return question

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]  # used by pickle and copy
        return (self.meant,)


class Suggestion(Question):
    """`` did you mean `kernel`? ``: `names` are possible replacements, likeliest first."""

    names: tuple[str, ...]

    def __new__(cls, *names: str) -> Self:
        suggestion = super().__new__(cls, in_backticks(names, " or "))
        suggestion.names = names
        return suggestion

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.names


class Known(str):
    """`` its parameters are `out`, `kernel`, … ``: the valid names, if none is similar."""

    __slots__ = ()

    @classmethod
    def listed(cls, title: str, names: Iterable[str], most: int | None = None) -> Self:
        """A title followed by the names, or by the first `most` of them."""
        every = list(names)
        dots = ", …" if most is not None and len(every) > most else ""
        return cls(f"{title} {in_backticks(every[:most])}{dots}")


def did_you_mean(name: str, known: Iterable[str]) -> Suggestion | None:
    """Suggest the known name that is most similar to `name`, if one is similar enough."""
    near = nearest(name, known)
    return Suggestion(near) if near else None
