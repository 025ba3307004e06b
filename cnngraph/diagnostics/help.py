"""What to do about an error, as a string that knows what it is made of: no code reads a sentence back.

A plain string is advice, which stays beside a verified fix. The classes here are what such a fix takes the place of.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Self

from cnngraph.nearest import nearest
from cnngraph.text import in_backticks


class Guess(str):
    """A change that may be meant, and that has not been tried."""

    __slots__ = ()


class Question(Guess):
    """`did you mean stride: 2 at net.yaml:7?`: a guess that is put as a question after what is `meant`."""

    meant: str

    def __new__(cls, meant: str) -> Self:
        question = super().__new__(cls, f"did you mean {meant}?")
        question.meant = meant
        return question

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]  # as pickle and copy make it again
        return (self.meant,)


class Suggestion(Question):
    """`did you mean kernel?`: `names` may stand in place of what is wrong, likeliest first."""

    names: tuple[str, ...]

    def __new__(cls, *names: str) -> Self:
        suggestion = super().__new__(cls, in_backticks(names, " or "))
        suggestion.names = names
        return suggestion

    def __getnewargs__(self) -> tuple[str, ...]:  # type: ignore[override]
        return self.names


class Known(str):
    """`conv has out, kernel, …`: where nothing is near, all that there is."""

    __slots__ = ()

    @classmethod
    def listed(cls, title: str, names: Iterable[str], most: int | None = None) -> Self:
        """The names behind a title, or the first of them."""
        every = list(names)
        dots = ", …" if most is not None and len(every) > most else ""
        return cls(f"{title} {in_backticks(every[:most])}{dots}")


def did_you_mean(name: str, known: Iterable[str]) -> Suggestion | None:
    """The known name nearest to another one as a suggestion, if one is near."""
    near = nearest(name, known)
    return Suggestion(near) if near else None
