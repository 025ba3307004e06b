"""The search: likely changes are tried on the whole text, the likeliest first, until one removes the error.

A change is a fix only if the text with it has no error or warning that it had not without. Where it also removes other
errors, these were consequences of the same slip, and are not reported.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from time import process_time

from cnngraph.diagnostics import Diagnostic, Fix, Source, apply_edits
from cnngraph.document import parse
from cnngraph.fixes.candidate import Candidate
from cnngraph.fixes.edges import edges
from cnngraph.fixes.inputs import inputs
from cnngraph.fixes.names import keys, needless, repeated, spellings
from cnngraph.fixes.numbers import NUMBER, numbers
from cnngraph.fixes.ops import other_ops
from cnngraph.fixes.syntax import slips
from cnngraph.fixes.values import arguments, missing, values
from cnngraph.fixes.written import Written

Compile = Callable[[str], tuple[Diagnostic, ...]]
MOST_ERRORS = 8  # for which a fix is searched
MOST_TRIES = 60  # for one error
BUDGET = 900_000  # of all tries, in characters and nodes' worth of them
AGREED = 0.3  # what a change costs less that two searches found
MOST_COST = 2.7  # of a change that is worth trying
MARGIN = 0.2  # by how much a change of a number must be likelier than another one that removes the error too
FAVOURITE = 20  # how often a value stands elsewhere to be one; a use in the same op counts ten times
MOST_RIVALS = 4  # other values that are tried beside one that is guessed
NODE = 60  # characters that take as long as a node
LONGEST = 1.5  # seconds, whatever the budget
SLOWEST = 0.3  # seconds for one try
LARGEST = 60_000  # characters of a text that is searched
LONGEST_LINE = 2_000  # characters
EDGES = ("E301", "E304", "E312", "E315", "E316", "E321", "E402")
SLIPS = ("E107", "E109", "E110", "E207", "E313", "E401", "E402", "E702")  # that YAML may read as something else
GUESSES = ("did you mean", "add ", "make it ", "docs/ops.md", "in reach:", "known here:")
LISTS = re.compile(
    r"^(the words are|its params are|give op:,) |^(the block )?\S+ takes (?!no words|a |any )"
)  # of all there is
SYNTAX = ("E102", "E104", "E105")


@dataclass
class Search:
    """Tries changes of one text."""

    written: Written
    errors: tuple[Diagnostic, ...]
    compile: Compile
    price: int  # of one try
    left: int = BUDGET
    began: float = 0.0
    either: tuple[Candidate, ...] = ()  # equally likely changes for the error last searched

    def best(self, error: Diagnostic) -> tuple[Fix, Counter[tuple[str, str]]] | None:
        """The likeliest fix of an error, and what is left of the errors with it."""
        tries = 0
        self.either = ()
        tried: set[str] = set()
        partial: tuple[Fix, Counter[tuple[str, str]]] | None = None
        options = sorted((self.weighed(error, each) for each in candidates(self.written, error)), key=_cost)
        for at, candidate in enumerate(options):
            if candidate.cost > MOST_COST or (partial and tries > MOST_TRIES // 2):
                return partial
            if (text := self.applied(candidate)) in tried:
                continue
            tried.add(text)
            if self.written.broken and self.is_broken(text):
                continue
            if tries == MOST_TRIES or self.left < self.price or process_time() - self.began > LONGEST:
                return partial
            tries += 1
            after = self.after(error, candidate)
            if after is None:
                continue
            rivals = self.rivals(error, candidate, options[at + 1 :]) if candidate.guess else []
            if rivals is None:
                return partial
            if rivals:  # whatever costs more is less likely still
                self.either = (candidate, *rivals) if candidate.guess == NUMBER else ()
                return partial
            if not after:
                return candidate.fix, after
            partial = partial or (candidate.fix, after)  # one that removes the other errors too would be better
        return partial

    def weighed(self, error: Diagnostic, candidate: Candidate) -> Candidate:
        """The change, likelier where the op's own search for a cause came to it as well."""
        agreed = candidate.guess == NUMBER and candidate.title == error.help
        return replace(candidate, cost=candidate.cost - AGREED) if agreed else candidate

    def applied(self, candidate: Candidate) -> str:
        """The text with a change."""
        return apply_edits(self.written.text, candidate.edits)

    def after(self, error: Diagnostic, candidate: Candidate) -> Counter[tuple[str, str]] | None:
        """What is left of the errors after a change; None where it is no fix."""
        self.left -= self.price
        before = Counter(map(_key, self.errors))
        after = Counter(map(_key, self.compile(self.applied(candidate))))
        return after if not after - before and after[_key(error)] < before[_key(error)] else None

    def rivals(self, error: Diagnostic, candidate: Candidate, others: list[Candidate]) -> list[Candidate] | None:
        """Other changes that remove the error and are nearly as likely as a guess; None where nothing speaks for it."""
        text = self.applied(candidate)
        found = [each for each in others if each.guess == candidate.guess and self.applied(each) != text]
        if candidate.guess == NUMBER:
            found = [each for each in found if each.cost < candidate.cost + MARGIN]
        elif candidate.support >= FAVOURITE:
            found = [each for each in found if 3 * each.support >= candidate.support]
        elif not found:
            return None
        tried = [each for each in found[:MOST_RIVALS] if self.left >= self.price]
        return [each for each in tried if self.after(error, each) is not None]

    def is_broken(self, text: str) -> bool:
        """Whether a text is still no YAML, which is found out quickly."""
        self.left -= len(text) // 4
        value, mistakes = parse(Source(self.written.source.name, text))
        return value is None or any(each.code in SYNTAX for each in mistakes)


def _cost(candidate: Candidate) -> float:
    return candidate.cost


def _key(error: Diagnostic) -> tuple[str, str]:
    return error.code, error.message


def with_fixes(
    source: Source, diagnostics: tuple[Diagnostic, ...], nodes: int, seconds: float, compile: Compile
) -> tuple[Diagnostic, ...]:
    """The diagnostics of a text with verified fixes, without those that are consequences of another.

    `nodes` is how large the network is as far as it is known, `seconds` how long its compilation took, and `compile`
    gives the diagnostics of a changed text.
    """
    if (
        len(source.text) > LARGEST
        or seconds > SLOWEST
        or max(map(len, source.text.splitlines()), default=0) > LONGEST_LINE
    ):
        return diagnostics
    try:
        return _searched(source, diagnostics, nodes, compile)
    except Exception:  # the diagnostics are right without fixes
        return diagnostics


def _searched(
    source: Source, diagnostics: tuple[Diagnostic, ...], nodes: int, compile: Compile
) -> tuple[Diagnostic, ...]:
    written = Written(source)
    search = Search(written, diagnostics, compile, len(source.text) + NODE * nodes, began=process_time())
    left = list(diagnostics)
    fixed: list[Diagnostic] = []
    errors = [each for each in diagnostics if each.is_error and each.span]
    for error in errors[:MOST_ERRORS]:
        if error not in left:
            continue
        found = search.best(error)
        if found is None:
            if search.either:
                left[left.index(error)] = _undecided(error, search.either)
            continue
        fix, after = found
        if not after:  # this was all that is wrong
            return (_told(error, fix),)
        gone = Counter(map(_key, left)) - after
        left.remove(error)
        gone[_key(error)] -= 1
        for other in list(left):
            if gone[_key(other)] > 0:
                gone[_key(other)] -= 1
                left.remove(other)
        fixed.append(_told(error, fix))
    kept = [*left, *fixed]
    order = {id(each): at for at, each in enumerate(diagnostics)}
    return tuple(sorted(kept, key=lambda each: order.get(id(each), _position(diagnostics, each))))


def _position(diagnostics: tuple[Diagnostic, ...], error: Diagnostic) -> int:
    return next(at for at, each in enumerate(diagnostics) if (each.code, each.span) == (error.code, error.span))


def _undecided(error: Diagnostic, either: tuple[Candidate, ...]) -> Diagnostic:
    """The error with changes of which each would remove it."""
    shown = [each.title.removeprefix("did you mean ").rstrip("?") for each in either[:3]]
    return replace(error, notes=(*error.notes, f"any one of these changes removes the error: {' · '.join(shown)}"))


def _told(error: Diagnostic, fix: Fix) -> Diagnostic:
    """The error with its fix, which is its help too: advice stays, a guess that was not verified and a list do not."""
    keeps = error.help and not error.help.startswith(GUESSES) and not LISTS.search(error.help)
    return replace(error, fixes=(fix,), help=error.help if keeps else fix.title)


def candidates(written: Written, error: Diagnostic) -> Iterator[Candidate]:
    """Changes that may be a fix."""
    if error.span is None:
        return
    if written.broken:
        yield from slips(written, error)
        yield from spellings(written, error)
        return
    if error.span.source == written.source:
        yield from spellings(written, error)
        yield from keys(written, error)
    if error.code == "E103":
        yield from repeated(written, error)
        return
    if error.code in SLIPS and error.span.source == written.source:
        yield from slips(written, error, above=1)
    if error.code == "E207":
        yield from needless(written, error)
        yield from other_ops(written, error)
    yield from values(written, error)
    yield from arguments(written, error)
    yield from missing(written, error)
    if error.code.startswith("E2") or error.code == "E107":
        yield from inputs(written, error)
    if error.code.startswith("E2") or error.code in EDGES:
        yield from edges(written, error)
    if error.code.startswith("E2"):
        yield from numbers(written, error)
