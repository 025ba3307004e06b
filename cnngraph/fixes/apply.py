"""Fixes applied to files: in passes, until none is left, and each file is written whole or not at all."""

from __future__ import annotations

import codecs
import errno
import os
import shutil
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from difflib import unified_diff
from pathlib import Path

from cnngraph.diagnostics import Diagnostic, Edit, Fix, Question, Source, apply_edits, compose_edits, has_errors
from cnngraph.files import WriteError, write
from cnngraph.fixes.trials import Texts
from cnngraph.library import library_root

MOST_PASSES = 20
NEWLINES = ("\r\n", "\n", "\r")

Check = Callable[[Texts], tuple[Diagnostic, ...]]


@dataclass(frozen=True, slots=True)
class Applied:
    """A fix that was applied, at the first line that it changed, which is counted in the text of its pass."""

    file: str
    line: int
    title: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.title}"


@dataclass(frozen=True, slots=True)
class FileFix:
    """The edits of one file, in its text as it was read."""

    source: Source
    edits: tuple[Edit, ...]

    @property
    def path(self) -> Path:
        """The file itself, where its name is a link."""
        assert self.source.path is not None
        return Path(os.path.realpath(self.source.path))

    def diff(self) -> str:
        """The edits as a unified diff. Raises OSError."""
        before, after = (_plain(_decoded(data)[1]).splitlines(keepends=True) for data in self._data())
        lines = unified_diff(before, after, self.source.name, self.source.name)
        return "".join(each if each.endswith("\n") else f"{each}\n\\ No newline at end of file\n" for each in lines)

    def write(self) -> None:
        """Change the file. Raises WriteError where it is read-only or has changed, and where it cannot be written."""
        path = self.path
        if not path.stat().st_mode & 0o222 or not os.access(path, os.W_OK):
            raise WriteError(errno.EACCES, "cannot fix it: the file is read-only", self.source.name)
        _, data = self._data()

        def writer(beside: Path) -> None:
            beside.write_bytes(data)
            shutil.copymode(path, beside)

        write(path, writer)

    def _data(self) -> tuple[bytes, bytes]:
        """The file's bytes before and after. Raises WriteError where its text is not the one that was checked."""
        before = self.path.read_bytes()
        start, text = _decoded(before)
        if _plain(text) != self.source.text:
            raise WriteError(errno.EBUSY, "cannot fix it: the file has changed since it was read", self.source.name)
        newline = min(
            ((text.index(each), -len(each), each) for each in NEWLINES if each in text), default=(0, 0, "\n")
        )[2]
        edits = [Edit(edit.span, edit.text.replace("\n", newline)) for edit in self.edits]
        return before, start + apply_edits(text, edits).encode("utf-8")


@dataclass
class Fixed:
    """What came of a search for fixes: the fixes, the files that they change, and what is still wrong."""

    diagnostics: tuple[Diagnostic, ...]
    applied: list[Applied] = field(default_factory=list)
    files: dict[str, FileFix] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether no error is left."""
        return not has_errors(self.diagnostics)

    @property
    def texts(self) -> dict[str, str]:
        """The changed texts by the names of their sources."""
        return {name: apply_edits(file.source.text, file.edits) for name, file in self.files.items()}

    def write(self) -> None:
        """Change the files. Raises WriteError."""
        for file in self.files.values():
            file.write()

    def diff(self) -> str:
        """The changes as a unified diff. Raises OSError."""
        return "".join(file.diff() for file in self.files.values())


def fixed(check: Check) -> Fixed:
    """Apply verified fixes, pass after pass, in memory. `check` gives the diagnostics of changed texts, with fixes."""
    result = Fixed(check({}))
    for _ in range(MOST_PASSES):
        fixes = _compatible(each.fixes[0] for each in result.diagnostics if each.fixes)
        for chosen in (fixes, fixes[:1]):  # together they may do what none of them does alone
            if chosen and (better := _applied(result, chosen, check)):
                result = better
                break
        else:
            return result
    return result


def _applied(result: Fixed, fixes: list[Fix], check: Check) -> Fixed | None:
    """The result with more fixes applied; None where that does not leave fewer errors."""
    files = dict(result.files)
    applied = list(result.applied)
    for fix in fixes:
        first = min(fix.edits, key=lambda edit: (edit.span.line, edit.span.column))
        applied.append(Applied(first.span.file, first.span.line, _said(fix)))
    for name in dict.fromkeys(edit.span.file for fix in fixes for edit in fix.edits):
        edits = [edit for fix in fixes for edit in fix.edits if edit.span.file == name]
        old = files.get(name, FileFix(edits[0].span.source, ()))
        files[name] = FileFix(old.source, compose_edits(old.source, old.edits, edits))
    found = Fixed(result.diagnostics, applied, files)
    found.diagnostics = check(found.texts)
    return found if _errors(found) < _errors(result) else None


def _said(fix: Fix) -> str:
    """What a fix does, once it is done: `kernal → kernel` where its title asks."""
    if not isinstance(fix.title, Question):
        return fix.title
    pairs = [(edit.span.text, edit.text) for edit in fix.edits if edit.span.line == edit.span.end_line]
    is_short = len(pairs) == len(fix.edits) and all(old and new and "\n" not in new for old, new in pairs)
    return ", ".join(f"`{old}` → `{new}`" for old, new in pairs) if is_short else fix.title.meant


def _errors(result: Fixed) -> int:
    return sum(each.is_error for each in result.diagnostics)


def _compatible(fixes: Iterable[Fix]) -> list[Fix]:
    """Those that may be applied in one pass: of files that may be changed, and apart from each other."""
    chosen: list[Fix] = []
    for fix in fixes:
        others = [edit for other in chosen for edit in other.edits]
        if all(may_change(edit.span.source) for edit in fix.edits) and not any(
            _touch(edit, other) for edit in fix.edits for other in others
        ):
            chosen.append(fix)
    return chosen


def _touch(one: Edit, two: Edit) -> bool:
    """Whether two edits overlap or meet."""
    a, b = one.span, two.span
    ends = (b.line, b.column) <= (a.end_line, a.end_column), (a.line, a.column) <= (b.end_line, b.end_column)
    return a.source == b.source and all(ends)


def may_change(source: Source) -> bool:
    """Whether a source is a file of the author's own: never one of the library, whatever link leads to it."""
    if source.path is None:
        return False
    return not Path(os.path.realpath(source.path)).is_relative_to(os.path.realpath(library_root()))


def _plain(text: str) -> str:
    """The text as a source has it: a line ends in a line feed."""
    return text.replace("\r\n", "\n").replace("\r", "\n")


def _decoded(data: bytes) -> tuple[bytes, str]:
    """A byte order mark, if there is one, and the text behind it, with its own ends of lines."""
    start = codecs.BOM_UTF8 if data.startswith(codecs.BOM_UTF8) else b""
    return start, data[len(start) :].decode("utf-8")
