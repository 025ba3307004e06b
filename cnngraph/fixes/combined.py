"""Fixes of several changes, if no single one suffices: the same slip made twice, or a slip that hides another one.

Many pairs of changes remove an error by accident. So a pair is tried only if both make the same change to different
nodes, or if each is a correction that would be offered by itself.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import combinations

from cnngraph.diagnostics import (
    Diagnostic,
    Edit,
    Fix,
    Question,
    Source,
    Suggestion,
    apply_edits,
    compose_edits,
)
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.numbers import NUMBER
from cnngraph.fixes.proposals import candidates
from cnngraph.fixes.trials import Errors, Trials, key_of
from cnngraph.fixes.values import ONE_MEANING
from cnngraph.fixes.written import Written
from cnngraph.frozen import frozen

MOST_ALIKE = 12  # combinations of equal changes
MOST_NODES = 6  # nodes that are combined
LARGEST = 3  # nodes that one fix changes
MOST_FIRST = 6  # corrections that reveal another error
MOST_SECOND = 8  # corrections of that error
DIFFER = ("E202", "E203")  # inputs that should agree: what one branch lacks, another may lack too
CERTAIN = 1.25  # the maximum cost of a correction that is plausible by itself


@frozen(slots=False)
class Outcome:
    """A change that is not a fix, and the errors that remain with it; see `Trials.reveals`."""

    candidate: Candidate
    errors: tuple[Diagnostic, ...]
    reveals: bool


def combined(
    trials: Trials, error: Diagnostic, options: list[Candidate], outcomes: list[Outcome], *, undecided: bool
) -> tuple[Fix, Errors] | None:
    """A fix of several changes, or one that reveals errors of other nodes; with the errors that remain with it.

    If it is `undecided` which of several changes is meant, none that reveals errors is likelier.
    """
    return (
        same_for_several(trials, error, options)
        or (None if undecided else _revealing(trials, error, options, outcomes))
        or _hidden(trials, error, outcomes)
    )


def _revealing(
    trials: Trials, error: Diagnostic, options: list[Candidate], outcomes: list[Outcome]
) -> tuple[Fix, Errors] | None:
    """A fix that would be offered but for errors that it reveals, and all errors that remain with it."""
    if alike := same_for_several(trials, error, options, reveals=True):
        return alike
    for outcome in outcomes:
        change = outcome.candidate
        is_certain = change.cost <= (ONE_MEANING if change.guess else CERTAIN) and change.guess != NUMBER
        if outcome.reveals and is_certain:
            return change.fix, Counter(map(key_of, outcome.errors))
    return None


def title_of(changes: tuple[Candidate, ...]) -> str:
    """The title of several changes: `` did you mean `conv` instead of `cnov`, and …? ``"""
    if all(isinstance(change.title, Suggestion) for change in changes):
        replaced = [f"{change.change} instead of `{change.edits[0].span.text}`" for change in changes]
        return Question(", and ".join(replaced))
    shown = [f"use {change.change}" if isinstance(change.title, Question) else change.title for change in changes]
    return ", and ".join(shown)


# -- the same slip made twice


def same_for_several(
    trials: Trials, error: Diagnostic, options: list[Candidate], *, reveals: bool = False
) -> tuple[Fix, Errors] | None:
    """A fix that adds the same parameter to several nodes, and the errors that remain with it.

    With `reveals` it may reveal errors that were hidden.
    """
    for changes in list(_combinations(options))[:MOST_ALIKE] if error.code in DIFFER else ():
        if trials.spent:
            return None
        edits = tuple(edit for change in changes for edit in change.edits)
        after = trials.after(error, trials.texts(edits))
        if after is None and reveals and trials.reveals:
            after = Counter(map(key_of, trials.seen))
        if after is not None:
            return Fix(title_of(changes), edits), after
    return None


def _combinations(options: list[Candidate]) -> Iterator[tuple[Candidate, ...]]:
    """Combinations of changes that set the same parameter of several nodes to the same value, likeliest first."""
    groups: dict[str, list[Candidate]] = {}
    for option in options:
        if option.setting:
            group = groups.setdefault(option.setting, [])
            if all(option.edits != other.edits for other in group):
                group.append(option)
    found = [
        changes
        for group in groups.values()
        for size in range(2, LARGEST + 1)
        for changes in combinations(group[:MOST_NODES], size)
    ]
    yield from sorted(found, key=lambda changes: (len(changes), sum(change.cost for change in changes)))


# -- a slip that hides another one


def _hidden(trials: Trials, error: Diagnostic, outcomes: list[Outcome]) -> tuple[Fix, Errors] | None:
    before = Counter(map(key_of, trials.errors))
    firsts = [outcome for outcome in outcomes if not outcome.candidate.guess and outcome.candidate.cost <= CERTAIN]
    firsts = [outcome for outcome in firsts if _shown(error, outcome, before)]
    for first in firsts[:MOST_FIRST]:
        texts = trials.texts(first.candidate.edits)
        for second in _seconds(trials, texts, _shown(error, first, before)[0]):
            if trials.spent:
                return None
            both = {**texts, **_applied(trials, texts, second.edits)}
            after = trials.after(error, both)
            if after is not None:
                edits = _composed(trials, first.candidate.edits, second.edits)
                if trials.texts(edits) != both:
                    continue
                return Fix(title_of((first.candidate, second)), edits), after
    return None


def _shown(error: Diagnostic, outcome: Outcome, before: Errors) -> list[Diagnostic]:
    """The error that a correction reveals; empty if there are none or several, or if it has no location."""
    after = Counter(map(key_of, outcome.errors))
    if after[key_of(error)] >= before[key_of(error)]:
        return []
    new = [found for found in outcome.errors if key_of(found) in after - before]
    return new if len(new) == 1 and new[0].is_error and new[0].span else []


def _seconds(trials: Trials, texts: dict[str, str], error: Diagnostic) -> list[Candidate]:
    """Corrections of the error that a first correction reveals."""
    assert error.span is not None
    name = error.span.source.name
    if name not in texts and name not in (trials.written.source.name, *trials.others):
        return []
    written = Written(Source(name, texts[name])) if name in texts else trials.written_of(name)
    found = sorted(candidates(written, error), key=lambda candidate: candidate.cost)
    return [candidate for candidate in found if not candidate.guess and candidate.cost <= CERTAIN][:MOST_SECOND]


def _applied(trials: Trials, texts: dict[str, str], edits: tuple[Edit, ...]) -> dict[str, str]:
    """The texts that the edits change, changed."""
    found = {}
    for name in {edit.span.source.name for edit in edits}:
        text = texts.get(name, trials.written_of(name).text)
        found[name] = apply_edits(text, [edit for edit in edits if edit.span.source.name == name])
    return found


def _composed(trials: Trials, first: tuple[Edit, ...], second: tuple[Edit, ...]) -> tuple[Edit, ...]:
    """Edits of the original texts that have the effect of `first` followed by `second`."""
    found: list[Edit] = []
    for name in dict.fromkeys(edit.span.source.name for edit in (*first, *second)):
        ones, twos = ([edit for edit in edits if edit.span.source.name == name] for edits in (first, second))
        found += compose_edits(trials.written_of(name).source, ones, twos)
    return tuple(found)
