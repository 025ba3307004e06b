"""Diagnostics: what is wrong with a text, where it stands, what led there, and one likely mend."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from itertools import islice

from cnngraph.text import one_line

MAX_UNDERLINED = 160  # characters of a source line that a message shows
MAX_MISTAKES = 100  # nobody reads more at once
MAX_NEAR = 200  # known words that are compared with a wrong one letter by letter


class Severity(StrEnum):
    """How bad it is: an error ends the compilation, a warning does not."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True)
class Source:
    """A text with the name a person knows it by: a file's path as given, or `--set out=3`."""

    name: str
    text: str = field(repr=False, compare=False)

    def line(self, number: int) -> str:
        """The line of that number (from 1), or an empty string past the end."""
        return self._lines[number - 1] if 0 < number <= len(self._lines) else ""

    @cached_property
    def _lines(self) -> list[str]:
        return self.text.splitlines()


@dataclass(frozen=True, slots=True)
class Span:
    """A place in a source: lines and columns count from 1, the end is exclusive."""

    source: Source
    line: int
    column: int
    end_line: int
    end_column: int

    @property
    def file(self) -> str:
        """The source's name."""
        return self.source.name

    @property
    def text(self) -> str:
        """The text of the place, up to the end of its line."""
        line = self.source.line(self.line)[self.column - 1 :]
        return line[: self.end_column - self.column] if self.line == self.end_line else line

    def __str__(self) -> str:
        return f"{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Edit:
    """A change of a source: the text at `span` is replaced by `text`. An empty span inserts."""

    span: Span
    text: str

    def to_dict(self) -> dict[str, object]:
        """The edit as `check --format json` prints it; lines and columns count from 1, the end is exclusive."""
        span = self.span
        place = {"line": span.line, "column": span.column, "end_line": span.end_line, "end_column": span.end_column}
        return {"file": span.file, **place, "text": self.text}


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that removes an error, verified: with the edits applied, it is gone and no other one has appeared."""

    title: str
    edits: tuple[Edit, ...]

    def is_told_by(self, help: str) -> bool:
        """Whether a help says the same, so that a person need not read it twice."""
        return self.title == help or any(
            len(edit.text.strip()) > 1 and edit.text.strip() in help for edit in self.edits
        )

    def to_dict(self) -> dict[str, object]:
        """The fix as `check --format json` prints it."""
        return {"title": self.title, "edits": [each.to_dict() for each in self.edits]}


def apply_edits(text: str, edits: Iterable[Edit]) -> str:
    """The text with edits that do not overlap applied."""
    starts = [0]
    for line in text.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    places = []
    for edit in edits:
        span = edit.span
        first, last = (min(number, len(starts)) - 1 for number in (span.line, span.end_line))
        places.append((starts[first] + span.column - 1, starts[last] + span.end_column - 1, edit.text))
    for start, end, new in sorted(places, reverse=True):
        text = text[:start] + new + text[end:]
    return text


@dataclass(frozen=True, slots=True)
class Cause:
    """A place that may hold the cause of an error: a node, or the value of its parameter `key`.

    `values` are what the value would have to be, written as in the source, as far as that is known.
    """

    span: Span
    key: str = ""
    values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One mistake, told to the person who wrote the spec.

    `notes` are the facts that led to it, a line each; `node` is the path of the node it was met in. `fixes` are
    verified changes of the text, likeliest first. `causes` are where a fix may be found, nearest first.
    """

    code: str
    message: str
    span: Span | None = None
    severity: Severity = Severity.ERROR
    node: str | None = None
    notes: tuple[str, ...] = ()
    help: str | None = None
    fixes: tuple[Fix, ...] = ()
    causes: tuple[Cause, ...] = field(default=(), repr=False, compare=False)

    @property
    def file(self) -> str | None:
        """The file's name, as the person gave it."""
        return self.span.file if self.span else None

    @property
    def line(self) -> int | None:
        """The line, from 1."""
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        """The column, from 1."""
        return self.span.column if self.span else None

    def to_dict(self) -> dict[str, object]:
        """The facts as `check --format json` prints them."""
        return {
            "code": self.code,
            "severity": self.severity.value,
            "message": self.message,
            "file": self.file,
            "line": self.line,
            "column": self.column,
            "node": self.node,
            "help": self.help,
            "notes": list(self.notes),
            "fixes": [each.to_dict() for each in self.fixes],
        }

    def __str__(self) -> str:
        lines = [f"{self.severity}[{self.code}]: {one_line(self.message)}"]
        gutter = "  "
        if self.span:
            gutter = " " * len(str(self.span.line)) + " "
            node = f", node {self.node}" if self.node else ""
            where = one_line(f"{self.span.file}:{self.span.line}:{self.span.column}{node}")
            lines.append(f"{gutter[:-1]}--> {where}")
            lines += _underlined(self.span, gutter)
        lines += [f"{gutter}= {one_line(note)}" for note in self.notes]
        if self.help:
            lines.append(f"{gutter}help: {one_line(self.help)}")
        lines += [
            f"{gutter}fix: {one_line(each.title)}" for each in self.fixes[:1] if not each.is_told_by(self.help or "")
        ]
        return "\n".join(lines)


def _underlined(span: Span, gutter: str) -> list[str]:
    """The source line with its place underlined; long lines are shown around the place."""
    text = span.source.line(span.line).replace("\t", " ")
    if not text.strip():
        return []
    start = max(0, span.column - 1)
    end = span.end_column - 1 if span.end_line == span.line else len(text.rstrip())
    cut = max(0, start - MAX_UNDERLINED // 2) if len(text) > MAX_UNDERLINED else 0
    shown = text[cut : cut + MAX_UNDERLINED].rstrip()
    last = max(start, min(end, cut + len(shown)))
    parts = text[cut:start], text[start:last], text[last : cut + len(shown)]
    before, marked, after = map(one_line, parts)  # escapes take more room than what they stand for
    return [
        f"{gutter}|",
        f"{span.line} | {before}{marked}{after}",
        f"{gutter}| {' ' * len(before)}{'^' * max(1, len(marked))}",
    ]


class SpecError(Exception):
    """A spec (or recipe, or weights file) is wrong: `diagnostics` says all that is.

    `speaks` is whether this process is the one to print it, where several train together; None: nobody has asked.
    """

    speaks: bool | None = None

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n\n".join(str(each) for each in self.diagnostics))

    def __reduce__(self) -> tuple[type[SpecError], tuple[tuple[Diagnostic, ...]]]:
        return type(self), (self.diagnostics,)


class Mistakes(list[Diagnostic]):
    """What is wrong so far. Raises SpecError with all of it where there is more than anybody reads at once."""

    def append(self, each: Diagnostic) -> None:
        """Add one."""
        super().append(each)
        self.check()

    def extend(self, more: Iterable[Diagnostic]) -> None:
        """Add some."""
        super().extend(islice(more, MAX_MISTAKES + 1))
        self.check()

    def check(self) -> None:
        """Raise SpecError if there are too many."""
        if len(self) > MAX_MISTAKES:
            message = f"there are more than {MAX_MISTAKES} mistakes, of which these are some"
            raise SpecError([*self[:MAX_MISTAKES], Diagnostic("E504", message)])


def _plain(word: str) -> str:
    """A word without what different habits write differently: `AvgPool2d` and `avg_pool` are one."""
    letters = word.lower().replace("_", "").replace("-", "").replace("2d", "")
    return letters[:-2] if letters.endswith(("1d", "3d")) else letters


def did_you_mean(word: str, known: Iterable[str]) -> str | None:
    """`did you mean kernel?` for the known word nearest to `word`, if one is near."""
    near = nearest(word, known)
    return f"did you mean {near}?" if near else None


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
        elif abs(len(plain) - len(other)) <= most and (changes := _changes(plain, other)) <= most:
            found.append((changes, each))
    return [each for _, each in sorted(found, key=lambda pair: pair[0])]


def _parts(word: str) -> set[str]:
    """`{global, pool}` of `global_pool`."""
    return set(word.lower().split("_")) - {""}


def _most_changes(length: int) -> int:
    """How many letters of a word may be wrong for it to be recognised."""
    return 1 if length < 5 else 2 if length < 9 else 3


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
