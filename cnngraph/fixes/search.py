"""The search for fixes: tries changes of the whole text, likeliest first, until one removes the error.

A change is a fix only if it adds no error or warning. Other errors that it removes were consequences of the same slip
and are not reported. Where no change is a fix in this sense, one that is likely by itself may reveal errors of nodes
that could not be checked before, because they depend on the node with the error.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field, replace

from cnngraph.diagnostics import Diagnostic, Fix, Guess, Known, Source
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.combined import Outcome, combined, same_for_several
from cnngraph.fixes.numbers import NUMBER
from cnngraph.fixes.proposals import candidates
from cnngraph.fixes.repaired import edits_of
from cnngraph.fixes.trials import Compile, Errors, Trials, key_of
from cnngraph.fixes.written import Written
from cnngraph.library import library_root

MOST_ERRORS = 8  # for which fixes are searched
MOST_TRIES = 60  # for one error
AGREED = 0.3  # the bonus of a change that two searches found
MOST_COST = 2.7  # the maximum cost of a change that is tried
MARGIN = 0.2  # the minimum difference in cost between a changed number and another one that also removes the error
FAVOURITE = 20  # occurrences that make a value a favourite; one in the same op counts ten times
MOST_RIVALS = 4  # other values that are tried to see whether a guess is unique
NODE = 60  # characters that take as long to compile as a node
SLOWEST = 0.3  # seconds of one compilation, above which no fixes are searched
LARGEST = 60_000  # characters of a text that is searched
LONGEST_LINE = 2_000  # characters

Found = tuple[Fix, Errors]  # a fix and the errors that remain


@dataclass
class Search:
    """Searches the likeliest fix of one error."""

    trials: Trials
    error: Diagnostic
    either: tuple[Candidate, ...] = ()  # equally likely changes, of which none is offered
    options: list[Candidate] = field(default_factory=list)
    outcomes: list[Outcome] = field(default_factory=list)
    weak: bool = False  # the change that was found is weak

    def best(self) -> Found | None:
        """The likeliest fix: a single change, or several together."""
        found = self.single()
        if found and self.weak and (alike := same_for_several(self.trials, self.error, self.options)):
            return alike
        if found is None:
            found = combined(self.trials, self.error, self.options, self.outcomes, undecided=bool(self.either))
            self.either = () if found else self.either
        return found

    def single(self) -> Found | None:
        """The likeliest single change that is a fix."""
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
                self.outcomes.append(Outcome(candidate, self.trials.seen, self.trials.reveals))
                continue
            rivals = self.rivals(candidate, self.options[at + 1 :]) if candidate.guess else []
            if rivals is None:
                return partial
            if rivals:  # more expensive ones are even less likely
                self.either = (candidate, *rivals) if candidate.guess == NUMBER else ()
                return partial
            if not (after and partial):
                self.weak = candidate.weak
            if not after:
                return candidate.fix, after
            partial = partial or (candidate.fix, after)  # one that also removes the other errors would be better
        return partial

    def all_options(self) -> Iterable[Candidate]:
        """Candidates in all texts, with a bonus for those that the elaboration's own search found, too."""
        for written in (self.trials.written, *self.trials.others.values()):
            repairs = [edits_of(written, repair) for repair in self.error.repairs]
            for candidate in candidates(written, self.error):
                agreed = candidate.guess == NUMBER and candidate.edits in repairs
                yield replace(candidate, cost=candidate.cost - AGREED) if agreed else candidate

    def rivals(self, candidate: Candidate, others: list[Candidate]) -> list[Candidate] | None:
        """Other changes that also remove the error and are about as likely; None without evidence for the candidate."""
        text = self.trials.texts(candidate.edits)
        found = [other for other in others if other.guess == candidate.guess and self.trials.texts(other.edits) != text]
        if candidate.guess == NUMBER:
            found = [rival for rival in found if rival.cost < candidate.cost + MARGIN]
        elif candidate.support >= FAVOURITE:
            found = [rival for rival in found if 3 * rival.support >= candidate.support]
        elif not found:
            return None
        tried = [rival for rival in found[:MOST_RIVALS] if self.trials.left >= self.trials.price]
        return [rival for rival in tried if self.trials.after(self.error, self.trials.texts(rival.edits)) is not None]


def with_fixes(
    source: Source, diagnostics: tuple[Diagnostic, ...], reached: frozenset[str], seconds: float, compile: Compile
) -> tuple[Diagnostic, ...]:
    """Add verified fixes to diagnostics and drop those that are consequences of another.

    `reached` are the paths of the nodes without an error, on which nothing with an error depends; `seconds` is the time
    that the compilation took; `compile` returns the diagnostics of changed texts.
    """
    try:
        is_quick = seconds <= SLOWEST and _is_searched(source)
        return _searched(source, diagnostics, reached, compile) if is_quick else diagnostics
    except Exception:  # the diagnostics are right even if the search fails
        return diagnostics


def _is_searched(source: Source) -> bool:
    """Whether a text is small enough."""
    return len(source.text) <= LARGEST and max(map(len, source.text.splitlines()), default=0) <= LONGEST_LINE


def _own_files(source: Source, diagnostics: Iterable[Diagnostic]) -> dict[str, Written]:
    """The author's other files that have errors."""
    found: dict[str, Written] = {}
    for error in diagnostics:
        other = error.span.source if error.span else source
        if other == source or other.name in found or other.path is None or not _is_searched(other):
            continue
        if not other.path.resolve().is_relative_to(library_root().resolve()):
            found[other.name] = Written(other)
    return found


def _searched(
    source: Source, diagnostics: tuple[Diagnostic, ...], reached: frozenset[str], compile: Compile
) -> tuple[Diagnostic, ...]:
    others = _own_files(source, diagnostics)
    price = len(source.text) + sum(len(written.text) for written in others.values()) + NODE * len(reached)
    trials = Trials(Written(source), diagnostics, compile, price, others=others, reached=reached)
    before = Counter(map(key_of, diagnostics))
    left = list(diagnostics)
    fixed: list[Diagnostic] = []
    errors = [diagnostic for diagnostic in diagnostics if diagnostic.is_error and diagnostic.span]
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
        if not after:  # the only error
            return (_with_fix(error, fix),)
        gone = Counter(map(key_of, left)) - after if after <= before else Counter([key_of(error)])
        left.remove(error)
        gone[key_of(error)] -= 1
        for other in list(left):
            if gone[key_of(other)] > 0:
                gone[key_of(other)] -= 1
                left.remove(other)
        fixed.append(_with_fix(error, fix))
    kept = [*left, *fixed]
    order = {id(diagnostic): at for at, diagnostic in enumerate(diagnostics)}
    return tuple(sorted(kept, key=lambda diagnostic: order.get(id(diagnostic), _position(diagnostics, diagnostic))))


def _position(diagnostics: tuple[Diagnostic, ...], error: Diagnostic) -> int:
    return next(
        at
        for at, diagnostic in enumerate(diagnostics)
        if (diagnostic.code, diagnostic.span) == (error.code, error.span)
    )


def _undecided(error: Diagnostic, either: tuple[Candidate, ...]) -> Diagnostic:
    """The error with a note that lists several changes that would each fix it."""
    shown = [candidate.change for candidate in either[:3]]
    return replace(error, notes=(*error.notes, f"any one of these changes fixes the error: {' · '.join(shown)}"))


def _with_fix(error: Diagnostic, fix: Fix) -> Diagnostic:
    """The error with its fix, which replaces the help unless that is advice."""
    replaces = error.help is None or isinstance(error.help, Guess | Known)
    return replace(error, fixes=(fix,), help=fix.title if replaces else error.help)
