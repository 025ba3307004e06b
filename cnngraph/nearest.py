"""The known names that a wrong one may be a misspelling of."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

MAX_NEAR = 200  # known names that are compared with a wrong one letter by letter


def _plain(word: str) -> str:
    """A word without what different habits write differently: `AvgPool2d` and `avg_pool` are one."""
    letters = word.lower().replace("_", "").replace("-", "").replace("2d", "")
    return letters[:-2] if letters.endswith(("1d", "3d")) else letters


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word nearest to `word`, if one is near."""
    return next(iter(near_words(word, known)), None)


def near_words(word: str, known: Iterable[str]) -> list[str]:
    """The known words that `word` may be a misspelling of, nearest first: few letters differ, for its length."""
    options = list(dict.fromkeys(known))
    if len(options) > MAX_NEAR:  # a comparison takes its time: only with those that begin alike
        alike = (each for each in options if each[:1] == word[:1] and abs(len(each) - len(word)) < 3)
        options = list(islice(alike, MAX_NEAR))
    plain, parts = _plain(word), _parts(word)
    found: list[tuple[float, str]] = []
    for each in options:
        other = _plain(each)
        most = _most_changes(min(len(plain), len(other)))
        if other == plain:
            found.append((0, each))
        elif len(parts) > 1 and (parts <= _parts(each) or (parts >= _parts(each) != set() and len(_parts(each)) > 1)):
            found.append((1.5, each))
        elif (
            abs(len(plain) - len(other)) <= most
            and (changes := _changes(plain, other)) <= most
            and _agree_in_parts(word, each)
        ):
            found.append((changes, each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _parts(word: str) -> set[str]:
    """`{global, pool}` of `global_pool`."""
    return set(word.lower().split("_")) - {""}


def _agree_in_parts(word: str, other: str) -> bool:
    """Whether each part is near its counterpart: `input_size` is few letters from `output_size`, but no slip."""
    parts, others = (each.lower().split("_") for each in (word, other))
    if len(parts) == 1 or len(parts) != len(others):
        return True
    pairs = [(a, b) for a, b in zip(parts, others, strict=True) if a != b]
    return all(_changes(a, b) <= _most_changes(min(len(a), len(b))) for a, b in pairs)


def _most_changes(length: int) -> int:
    """How many letters of a word may be wrong for it to be recognised: a third at most, so `scale` is no `share`."""
    return 1 if length < 6 else 2 if length < 9 else 3


def _changes(a: str, b: str) -> int:
    """How many letters to add, remove, replace or exchange with the next one make one word of the other."""
    before: list[int] = []
    row = list(range(len(b) + 1))
    for i, letter in enumerate(a, 1):
        new = [i]
        for j, other in enumerate(b, 1):
            cost = min(row[j] + 1, new[j - 1] + 1, row[j - 1] + (letter != other))
            if i > 1 and j > 1 and letter == b[j - 2] and a[i - 2] == other:
                cost = min(cost, before[j - 2] + 1)
            new.append(cost)
        before, row = row, new
    return row[-1]
