"""The search: likely changes are tried on the whole text, the likeliest first, until one removes the error.

A change is a fix only if the text with it has no error or warning that it had not without. Where it also removes other
errors, these were consequences of the same slip, and are not reported.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Diagnostic, Fix, Guess, Known, Source
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.candidates import candidates
from cnngraph.fixes.combined import Outcome, combined
from cnngraph.fixes.numbers import NUMBER
from cnngraph.fixes.repaired import edits_of
from cnngraph.fixes.trials import Compile, Errors, Trials, key_of
from cnngraph.fixes.written import Written
from cnngraph.library import library_root

MOST_ERRORS = 8  # for which a fix is searched
MOST_TRIES = 60  # for one error
AGREED = 0.3  # what a change costs less that two searches found
MOST_COST = 2.7  # of a change that is worth trying
MARGIN = 0.2  # by how much a change of a number must be likelier than another one that removes the error too
FAVOURITE = 20  # how often a value stands elsewhere to be one; a use in the same op counts ten times
MOST_RIVALS = 4  # other values that are tried beside one that is guessed
NODE = 60  # characters that take as long as a node
SLOWEST = 0.3  # seconds for one try
LARGEST = 60_000  # characters of a text that is searched
LONGEST_LINE = 2_000  # characters

Found = tuple[Fix, Errors]  # a fix, and what is left of the errors with it


@dataclass
class Search:
    """Searches the likeliest fix of one error."""

    trials: Trials
    error: Diagnostic
    either: tuple[Candidate, ...] = ()  # equally likely changes, of which none is offered
    options: list[Candidate] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)

    def best(self) -> Found | None:
        """The likeliest fix: a change, or else several of them together."""
        found = self.single()
        if found is None and (both := combined(self.trials, self.error, self.options, self.outcomes)):
            self.either = ()
            return both
        return found

    def single(self) -> Found | None:
        """The likeliest change that is a fix."""
        self.options = sorted(self.all_options(), key=lambda candidate: candidate.cost)
        tries, tried = 0, set[tuple[tuple[str, str], ...]]()
        partial: Found | None = None
        for at, candidate in enumerate(self.options):
            if candidate.cost > MOST_COST or (partial and tries > MOST_TRIES // 2):
                return partial
            texts = self.trials.texts(candidate.edits)
            if (mark := tuple(texts.items())) in tried:
                continue
            tried.add(mark)
            if self.trials.written.broken and self.trials.is_broken(texts):
                continue
            if tries == MOST_TRIES or self.trials.spent:
                return partial
            tries += 1
            after = self.trials.after(self.error, texts)
            if after is None:
                self.outcomes.append(Outcome(candidate, self.trials.seen))
                continue
            rivals = self.rivals(candidate, self.options[at + 1 :]) if candidate.guess else []
            if rivals is None:
                return partial
            if rivals:  # whatever costs more is less likely still
                self.either = (candidate, *rivals) if candidate.guess == NUMBER else ()
                return partial
            if not after:
                return candidate.fix, after
            partial = partial or (candidate.fix, after)  # one that removes the other errors too would be better
        return partial

    def all_options(self) -> Iterable[Candidate]:
        """Changes of all texts; those that the elaboration's own search came to as well are likelier."""
        for written in (self.trials.written, *self.trials.others.values()):
            repairs = [edits_of(written, repair) for repair in self.error.repairs]
            for candidate in candidates(written, self.error):
                agreed = candidate.guess == NUMBER and candidate.edits in repairs
                yield replace(candidate, cost=candidate.cost - AGREED) if agreed else candidate

    def rivals(self, candidate: Candidate, others: list[Candidate]) -> list[Candidate] | None:
        """Other changes that remove the error and are nearly as likely as a guess; None where nothing speaks for it."""
        text = self.trials.texts(candidate.edits)
        found = [each for each in others if each.guess == candidate.guess and self.trials.texts(each.edits) != text]
        if candidate.guess == NUMBER:
            found = [each for each in found if each.cost < candidate.cost + MARGIN]
        elif candidate.support >= FAVOURITE:
            found = [each for each in found if 3 * each.support >= candidate.support]
        elif not found:
            return None
        tried = [each for each in found[:MOST_RIVALS] if self.trials.left >= self.trials.price]
        return [each for each in tried if self.trials.after(self.error, self.trials.texts(each.edits)) is not None]


def with_fixes(
    source: Source, diagnostics: tuple[Diagnostic, ...], nodes: int, seconds: float, compile: Compile
) -> tuple[Diagnostic, ...]:
    """The diagnostics of a text with verified fixes, without those that are consequences of another.

    `nodes` is how large the network is as far as it is known, `seconds` how long its compilation took, and `compile`
    gives the diagnostics of changed texts.
    """
    try:
        is_quick = seconds <= SLOWEST and _is_searched(source)
        return _searched(source, diagnostics, nodes, compile) if is_quick else diagnostics
    except Exception:  # the diagnostics are right without fixes
        return diagnostics


def _is_searched(source: Source) -> bool:
    """Whether a text is small enough."""
    return len(source.text) <= LARGEST and max(map(len, source.text.splitlines()), default=0) <= LONGEST_LINE


def _own_files(source: Source, diagnostics: Iterable[Diagnostic]) -> dict[str, Written]:
    """The other files that errors are in and that may be changed: not those of the library."""
    found: dict[str, Written] = {}
    for error in diagnostics:
        other = error.span.source if error.span else source
        if other == source or other.name in found or other.path is None or not _is_searched(other):
            continue
        if not other.path.resolve().is_relative_to(library_root().resolve()):
            found[other.name] = Written(other)
    return found


def _searched(
    source: Source, diagnostics: tuple[Diagnostic, ...], nodes: int, compile: Compile
) -> tuple[Diagnostic, ...]:
    others = _own_files(source, diagnostics)
    price = len(source.text) + sum(len(each.text) for each in others.values()) + NODE * nodes
    trials = Trials(Written(source), diagnostics, compile, price, others=others)
    left = list(diagnostics)
    fixed: list[Diagnostic] = []
    errors = [each for each in diagnostics if each.is_error and each.span]
    for error in errors[:MOST_ERRORS]:
        if error not in left:
            continue
        search = Search(trials, error)
        found = search.best()
        if found is None:
            if search.either:
                left[left.index(error)] = _undecided(error, search.either)
            continue
        fix, after = found
        if not after:  # this was all that is wrong
            return (_told(error, fix),)
        gone = Counter(map(key_of, left)) - after
        left.remove(error)
        gone[key_of(error)] -= 1
        for other in list(left):
            if gone[key_of(other)] > 0:
                gone[key_of(other)] -= 1
                left.remove(other)
        fixed.append(_told(error, fix))
    kept = [*left, *fixed]
    order = {id(each): at for at, each in enumerate(diagnostics)}
    return tuple(sorted(kept, key=lambda each: order.get(id(each), _position(diagnostics, each))))


def _position(diagnostics: tuple[Diagnostic, ...], error: Diagnostic) -> int:
    return next(at for at, each in enumerate(diagnostics) if (each.code, each.span) == (error.code, error.span))


def _undecided(error: Diagnostic, either: tuple[Candidate, ...]) -> Diagnostic:
    """The error with changes of which each would remove it."""
    shown = [each.change for each in either[:3]]
    return replace(error, notes=(*error.notes, f"each of these changes alone fixes the error: {' · '.join(shown)}"))


def _told(error: Diagnostic, fix: Fix) -> Diagnostic:
    """The error with its fix, which is its help too: advice stays, a guess that was not verified and a list do not."""
    replaces = error.help is None or isinstance(error.help, Guess | Known)
    return replace(error, fixes=(fix,), help=fix.title if replaces else error.help)
