"""Trials: the text with changes applied is compiled, within a budget, and its errors are compared with those before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from time import process_time

from cnngraph.diagnostics import Diagnostic, Edit, Source, apply_edits
from cnngraph.document import parse
from cnngraph.fixes.written import Written

Texts = Mapping[str, str]  # the changed texts by the names of their sources
Compile = Callable[[Texts], tuple[Diagnostic, ...]]
Errors = Counter[tuple[str, str]]
BUDGET = 900_000  # of all tries, in characters and nodes' worth of them
LONGEST = 1.5  # seconds, whatever the budget
SYNTAX = ("E102", "E104", "E105")


def key_of(error: Diagnostic) -> tuple[str, str]:
    """What makes two errors the same one, before and after a change."""
    return error.code, error.message


@dataclass
class Trials:
    """Tries changes of a spec's own text, and of the texts of `others`, its own files that it reads."""

    written: Written
    errors: tuple[Diagnostic, ...]
    compile: Compile
    price: int  # of one try
    left: int = BUDGET
    began: float = field(default_factory=process_time)
    others: dict[str, Written] = field(default_factory=dict)
    seen: tuple[Diagnostic, ...] = ()  # what the last try gave

    def texts(self, edits: Iterable[Edit]) -> dict[str, str]:
        """The texts that edits change, changed."""
        found: dict[str, list[Edit]] = {}
        for edit in edits:
            found.setdefault(edit.span.source.name, []).append(edit)
        return {name: apply_edits(self.written_of(name).text, own) for name, own in found.items()}

    def written_of(self, name: str) -> Written:
        """The source of a name as it is written."""
        return self.written if name == self.written.source.name else self.others[name]

    @property
    def spent(self) -> bool:
        """Whether there is no budget left for another try."""
        return self.left < self.price or process_time() - self.began > LONGEST

    def after(self, error: Diagnostic, texts: Texts) -> Errors | None:
        """What is left of the errors after a change; None where it is no fix: an error more, or `error` still there."""
        self.left -= self.price
        self.seen = self.compile(texts)
        before, after = Counter(map(key_of, self.errors)), Counter(map(key_of, self.seen))
        return after if not after - before and after[key_of(error)] < before[key_of(error)] else None

    def is_broken(self, texts: Texts) -> bool:
        """Whether a text has no fewer errors of YAML than it had, which is found out quickly."""
        for name, text in texts.items():
            self.left -= len(text) // 4
            value, mistakes = parse(Source(name, text))
            before = sum(each.code in SYNTAX for each in self.errors)
            if value is None or sum(each.code in SYNTAX for each in mistakes) >= before:
                return True
        return False
