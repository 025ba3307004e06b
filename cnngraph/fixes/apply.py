"""Applies fixes to files, in passes until none is left. Each file is written completely or not at all."""

from __future__ import annotations

import codecs
import errno
import os
import re
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from cnngraph.atomic_files import WriteError, is_read_only, write
from cnngraph.diagnostics import Diagnostic, Edit, Source, apply_edits, compose_edits, has_errors
from cnngraph.fixes.trials import Texts, key_of
from cnngraph.frozen import frozen
from cnngraph.library import library_root

MAX_PASSES = 20
NEWLINES = ("\r\n", "\n", "\r")

Check = Callable[[Texts], tuple[Diagnostic, ...]]


@frozen
class Applied:
    """An applied fix with the first line that it changed, in the text of its pass."""

    file: str
    line: int
    title: str

    def __str__(self) -> str:
        place = f"{self.file}:{self.line}"
        title = re.sub(rf" at {re.escape(place)}(?!\d)", "", self.title)
        return f"{place}: {title.replace(f' at {self.file}:', ' on line ')}"


@frozen
class FileFix:
    """The edits of one file, relative to its text as read."""

    source: Source
    edits: tuple[Edit, ...]

    @property
    def path(self) -> Path:
        """The file, with links resolved."""
        assert self.source.path is not None
        return Path(os.path.realpath(self.source.path))

    def diff(self) -> str:
        """The edits as a unified diff. Raises OSError."""
        before, after = (_plain(_decoded(data)[1]).splitlines(keepends=True) for data in self._data())
        lines = unified_diff(before, after, self.source.name, self.source.name)
        return "".join(line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n" for line in lines)

    def write(self) -> None:
        """Write the file. Raises WriteError if it is read-only, has changed, or cannot be written."""
        path = self.path
        if is_read_only(path):
            raise WriteError(errno.EACCES, "cannot fix it: the file is read-only", self.source.name)
        _, data = self._data()
        write(path, lambda beside: beside.write_bytes(data))

    def _data(self) -> tuple[bytes, bytes]:
        """The file's bytes before and after. Raises WriteError if its text has changed since the check."""
        before = self.path.read_bytes()
        start, text = _decoded(before)
        if _plain(text) != self.source.text:
            raise WriteError(errno.EBUSY, "cannot fix it: the file has changed since it was read", self.source.name)
        newline = min(
            ((text.index(ending), -len(ending), ending) for ending in NEWLINES if ending in text), default=(0, 0, "\n")
        )[2]
        edits = [Edit(edit.span, edit.text.replace("\n", newline)) for edit in self.edits]
        return before, start + apply_edits(text, edits).encode("utf-8")


@dataclass
class Fixed:
    """The result of fixing: the applied fixes, the changed files, and the remaining diagnostics."""

    diagnostics: tuple[Diagnostic, ...]
    applied: list[Applied] = field(default_factory=list)
    files: dict[str, FileFix] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no error is left."""
        return not has_errors(self.diagnostics)

    @property
    def texts(self) -> dict[str, str]:
        """The changed texts by source name."""
        return {name: apply_edits(file.source.text, file.edits) for name, file in self.files.items()}

    def write(self) -> None:
        """Write all files. Raises WriteError."""
        for file in self.files.values():
            file.write()

    def diff(self) -> str:
        """The changes as a unified diff. Raises OSError."""
        return "".join(file.diff() for file in self.files.values())


def fixed(check: Check) -> Fixed:
    """Apply verified fixes in memory, in passes. `check` returns the diagnostics of changed texts, with fixes."""
    result = Fixed(check({}))
    seen = [result.texts]
    for _ in range(MAX_PASSES):
        fixable = _compatible(diagnostic for diagnostic in result.diagnostics if diagnostic.fixes)
        for chosen in (fixable, fixable[:1]):  # if all of them together do not help, try the first alone
            better = _applied(result, chosen, check) if chosen else None
            if better and better.texts not in seen:
                result = better
                seen.append(result.texts)
                break
        else:
            return result
    return result


def _applied(result: Fixed, fixable: list[Diagnostic], check: Check) -> Fixed | None:
    """The result with more fixes applied; None if one of the fixes does not remove its error or warning."""
    fixes = [diagnostic.fixes[0] for diagnostic in fixable]
    files = dict(result.files)
    applied = list(result.applied)
    for fix in fixes:
        first = min(fix.edits, key=lambda edit: (edit.span.line, edit.span.column))
        applied.append(Applied(first.span.file, first.span.line, fix.instruction))
    for name in dict.fromkeys(edit.span.file for fix in fixes for edit in fix.edits):
        edits = [edit for fix in fixes for edit in fix.edits if edit.span.file == name]
        old = files.get(name, FileFix(edits[0].span.source, ()))
        files[name] = FileFix(old.source, compose_edits(old.source, old.edits, edits))
    found = Fixed(result.diagnostics, applied, files)
    found.diagnostics = check(found.texts)
    left = _reported(result) - Counter(map(key_of, fixable))
    return found if all(_reported(found)[error] <= left[error] for error in map(key_of, fixable)) else None


def _reported(result: Fixed) -> Counter[tuple[str, str]]:
    return Counter(map(key_of, result.diagnostics))


def _compatible(fixable: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The errors whose fixes can be applied in one pass: to the author's files, without overlaps."""
    chosen: list[Diagnostic] = []
    for diagnostic in fixable:
        edits = diagnostic.fixes[0].edits
        others = [edit for other in chosen for edit in other.fixes[0].edits]
        if all(may_change(edit.span.source) for edit in edits) and not any(
            _touch(edit, other) for edit in edits for other in others
        ):
            chosen.append(diagnostic)
    return chosen


def _touch(one: Edit, two: Edit) -> bool:
    """Whether two edits overlap or are adjacent."""
    a, b = one.span, two.span
    ends = (b.line, b.column) <= (a.end_line, a.end_column), (a.line, a.column) <= (b.end_line, b.end_column)
    return a.source == b.source and all(ends)


def may_change(source: Source) -> bool:
    """Whether a source is a file outside the library, with links resolved."""
    if source.path is None:
        return False
    return not Path(os.path.realpath(source.path)).is_relative_to(os.path.realpath(library_root()))


def _plain(text: str) -> str:
    """The text with line feeds as line endings, as in a source."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> tuple[bytes, str]:
    """The byte order mark, if any, and the text after it with its original line endings."""
    start = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    return start, data[len(start) :].decode("utf-8")
