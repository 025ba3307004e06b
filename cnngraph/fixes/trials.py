"""Trials: compiles the text with changes applied, within a budget, and compares the errors."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from time import process_time

from cnngraph.diagnostics import Diagnostic, Edit, Source, apply_edits
from cnngraph.document import parse
from cnngraph.fixes.proposals import UNCONNECTED
from cnngraph.fixes.written import Written
from cnngraph.language.usage import used_by_variants

Texts = Mapping[str, str]  # the changed texts by source name
Reached = frozenset[str]  # the paths of the nodes whose shapes are known
Compile = Callable[[Texts], tuple[tuple[Diagnostic, ...], Reached]]
Errors = Counter[tuple[str, str]]
BUDGET = 900_000  # of all trials, in characters; a node counts as some
LONGEST = 1.5  # seconds for all trials
SYNTAX = ("E102", "E104", "E105")
UNUSED = "E316"  # only reported where there is no other error


def key_of(error: Diagnostic) -> tuple[str, str]:
    """Identifies an error before and after a change."""
    return error.code, error.message


@dataclass
class Trials:
    """Tries changes of a spec's text, and of the texts of `others`, the author's files that it reads."""

    written: Written
    errors: tuple[Diagnostic, ...]
    compile: Compile
    price: int  # of one trial
    left: int = BUDGET
    started: float = field(default_factory=process_time)
    others: dict[str, Written] = field(default_factory=dict)
    reached: Reached = frozenset()  # in the unchanged text
    seen: tuple[Diagnostic, ...] = ()  # by the last trial
    reveals: bool = False  # whether the last trial removed the error, and only revealed errors that it had hidden

    def texts(self, edits: Iterable[Edit]) -> dict[str, str]:
        """The texts with edits applied."""
        found: dict[str, list[Edit]] = {}
        for edit in edits:
            found.setdefault(edit.span.source.name, []).append(edit)
        return {name: apply_edits(self.written_of(name).text, own) for name, own in found.items()}

    def written_of(self, name: str) -> Written:
        """The unchanged text of a source."""
        return self.written if name == self.written.source.name else self.others[name]

    @property
    def spent(self) -> bool:
        """Whether the budget does not suffice for another trial."""
        return self.left < self.price or process_time() - self.started > LONGEST

    def after(self, error: Diagnostic, texts: Texts) -> Errors | None:
        """The errors that remain after a change; None if it is not a fix: there is a new error, or `error` remains.

        Nor is it a fix if it leaves a param unused: `groups: 1` removes the error of `groups: 3`, but `$groups` is
        meant. Nor if the node with the error now reads one with another error, and is no longer checked.
        """
        self.left -= self.price
        self.seen, reached = self.compile(texts)
        before, after = Counter(map(key_of, self.errors)), Counter(map(key_of, self.seen))
        removes = after[key_of(error)] < before[key_of(error)]
        new = after - before
        self.reveals = removes and bool(new) and not new - Counter(map(key_of, self._revealed(error)))
        was_checked = error.code.startswith("E2") and error.code not in UNCONNECTED and error.node is not None
        hides = was_checked and bool(after) and error.node not in reached
        is_fix = removes and not new and not hides
        return after if is_fix and (after or not self._leaves_unused(texts)) else None

    def _revealed(self, error: Diagnostic) -> Iterator[Diagnostic]:
        """The errors of the last trial that `error` had hidden, on lines that are unchanged."""
        for seen in self.seen:
            if seen.span is None or not self._was_hidden(seen, error):
                continue
            source = seen.span.source
            if source.name == self.written.source.name or source.name in self.others:
                line = source.text.splitlines()[seen.span.line - 1]
                if line in self.written_of(source.name).text.splitlines():
                    yield seen

    def _was_hidden(self, seen: Diagnostic, error: Diagnostic) -> bool:
        """Whether an error could not be found before: its node had no shape, or unused nodes were not looked for."""
        if not seen.is_error or seen.node is None:
            return False
        if seen.code == UNUSED:
            return error.code in UNCONNECTED
        return seen.node != error.node and seen.node not in self.reached

    def _leaves_unused(self, texts: Texts) -> bool:
        """Whether a param of one of the texts is not used, nor by a file that extends it."""
        for name in (self.written.source.name, *self.others):
            written = Written(Source(name, texts[name])) if name in texts else self.written_of(name)
            unused = set(written.unused_params())
            if any(written.unused_params(block) for block in written.blocks.values()):
                return True
            if unused and unused - self._used_by_variants:
                return True
        return False

    @cached_property
    def _used_by_variants(self) -> set[str]:
        """The names that expressions use in the files that extend the spec."""
        path = self.written.source.path
        return used_by_variants(path.stem, path.parent) if path is not None else set()

    def is_broken(self, texts: Texts) -> bool:
        """Whether a text has at least as many syntax errors as before; cheaper than compiling it."""
        for name, text in texts.items():
            self.left -= len(text) // 4
            value, errors = parse(Source(name, text))
            before = sum(error.code in SYNTAX for error in self.errors)
            if value is None or sum(error.code in SYNTAX for error in errors) >= before:
                return True
        return False
