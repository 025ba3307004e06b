"""Finds the known names that a misspelt one may stand for."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice

MAX_NEAR = 200  # known names that are compared by edit distance


def _plain(word: str) -> str:
    """A word in normal form: `AvgPool2d` and `avg_pool` are equal."""
    letters = word.lower().replace("_", "").replace("-", "").replace("2d", "")
    return letters[:-2] if letters.endswith(("1d", "3d")) else letters


def nearest(word: str, known: Iterable[str]) -> str | None:
    """The known word most similar to `word`, if one is similar enough."""
    return next(iter(near_words(word, known)), None)


def near_words(word: str, known: Iterable[str]) -> list[str]:
    """The known words that `word` may be a misspelling of, most similar first."""
    options = list(dict.fromkeys(known))
    if len(options) > MAX_NEAR:  # comparing is slow: only those with the same first letter
        alike = (option for option in options if option[:1] == word[:1] and abs(len(option) - len(word)) < 3)
        options = list(islice(alike, MAX_NEAR))
    plain, parts = _plain(word), _parts(word)
    found: list[tuple[float, str]] = []
    for option in options:
        other = _plain(option)
        most = _most_changes(min(len(plain), len(other)))
        if other == plain:
            found.append((0, option))
        elif len(parts) > 1 and (
            parts <= _parts(option) or (parts >= _parts(option) != set() and len(_parts(option)) > 1)
        ):
            found.append((1.5, option))
        elif (
            abs(len(plain) - len(other)) <= most
            and (changes := _changes(plain, other)) <= most
            and _agree_in_parts(word, option)
        ):
            found.append((changes, option))
    return [name for _, name in sorted(found, key=lambda pair: pair[0])]


def _parts(word: str) -> set[str]:
    """The parts of a name: `{global, pool}` of `global_pool`."""
    return set(word.lower().split("_")) - {""}


def _agree_in_parts(word: str, other: str) -> bool:
    """Whether all parts are similar: `input_size` differs from `output_size` in few letters, but is not a typo."""
    parts, others = (name.lower().split("_") for name in (word, other))
    if len(parts) == 1 or len(parts) != len(others):
        return True
    pairs = [(a, b) for a, b in zip(parts, others, strict=True) if a != b]
    return all(_changes(a, b) <= _most_changes(min(len(a), len(b))) for a, b in pairs)


def _most_changes(length: int) -> int:
    """The maximum edit distance for a word of that length, at most a third of it: `scale` is not `share`.

    A single letter is near no other.
    """
    return 0 if length < 2 else 1 if length < 6 else 2 if length < 9 else 3


def _changes(a: str, b: str) -> int:
    """The Damerau-Levenshtein distance (optimal string alignment)."""
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
