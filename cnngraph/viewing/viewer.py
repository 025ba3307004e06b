"""The page of a spec, which is drawn again whenever one of its files changes."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

from cnngraph.compilation import Compilation, network_of
from cnngraph.diagnostics import Diagnostic, SpecError, has_errors
from cnngraph.graph.graph import Graph
from cnngraph.library import ENDINGS
from cnngraph.render.page import Report, page
from cnngraph.render.settings import Settings

MAX_FOLDERS, MAX_FILES = 200, 1000  # that are watched below the spec's folder
State = tuple[tuple[str, int, int, int], ...]  # paths, numbers (inodes), times of change and sizes of files


class Viewer:
    """The current page of a spec, with its version.

    A spec with errors is shown as the last version without errors, or if there was none, up to the error.
    """

    def __init__(self, file: Path, compile: Callable[[], Compilation], settings: Settings) -> None:
        self.file, self.compile, self.settings = file, compile, settings
        self.changed = threading.Condition()
        self.version = 0
        self.html = ""
        self.diagnostics: tuple[Diagnostic, ...] = ()
        self.stopped = False
        self._last_good: Graph | None = None
        self._others: set[Path] = set()  # files outside the spec's folder
        self._state: State = ()
        self.refresh()

    def refresh(self) -> bool:
        """Compile and draw the spec if one of its files has changed; return whether that changed the page."""
        state = tuple(self._stats())
        if self.version and state == self._state:
            return False
        self._state = state
        report, graph = self._compiled()
        html, self.diagnostics = self._drawn(graph, report)
        if html == self.html:
            return False
        with self.changed:
            self.html, self.version = html, self.version + 1
            self.changed.notify_all()
        return True

    def page(self) -> tuple[str, int]:
        """The page and its version."""
        with self.changed:
            return self.html, self.version

    def stop(self) -> None:
        """Wake everything that waits for a change."""
        with self.changed:
            self.stopped = True
            self.changed.notify_all()

    def _compiled(self) -> tuple[Report, Graph | None]:
        """What is to be reported, and the graph to draw."""
        compilation = self.compile()
        diagnostics = compilation.diagnostics
        self._others |= set(_files(compilation))
        try:
            self._last_good = network_of(compilation, self.file.name)
        except SpecError as error:  # those of the compilation, or that it is a library of blocks
            diagnostics = diagnostics or error.diagnostics
            if self._last_good is not None:
                return Report(diagnostics, "The drawing shows the last version without errors."), self._last_good
            if compilation.graph is not None and compilation.graph.nodes:
                return Report(diagnostics, "The drawing shows the network up to the error."), compilation.graph
            return Report(diagnostics), None
        return Report(diagnostics), self._last_good

    def _drawn(self, graph: Graph | None, report: Report) -> tuple[str, tuple[Diagnostic, ...]]:
        """The page; without a drawing if the graph cannot be drawn."""
        try:
            return page(graph, self.settings, report), report.diagnostics
        except SpecError as error:
            found = (*report.diagnostics, *error.diagnostics)
        except ValueError as error:  # there is no block at the path of the settings any more
            if not has_errors(report.diagnostics):
                report = replace(report, note=f"Nothing is drawn: {error}.")
            found = report.diagnostics
        return page(None, self.settings, replace(report, diagnostics=found)), found

    def _stats(self) -> Iterator[tuple[str, int, int, int]]:
        for path in sorted({self.file, *self._others, *_specs_below(self.file.parent)}):
            try:
                status = path.stat()
            except OSError:
                continue
            yield str(path), status.st_ino, status.st_mtime_ns, status.st_size


def _files(compilation: Compilation) -> Iterator[Path]:
    """The files in which nodes, scopes and errors are."""
    graph = compilation.graph
    spans = [item.span for item in compilation.diagnostics if item.span]
    if graph is not None:
        spans += [node.span for node in graph.nodes] + [scope.span for scope in graph.scopes()]
    sources = {span.source.name: span.source for span in spans}
    spec = compilation.spec
    while spec is not None:
        sources[spec.source.name] = spec.source
        spec = spec.base
    return (source.path for source in sources.values() if source.path is not None)


def _specs_below(root: Path) -> Iterator[Path]:
    """The YAML files in the spec's folder and below: what it can import is there, or in the library."""
    count = 0
    for visited, (folder, folders, files) in enumerate(os.walk(root)):
        folders[:] = [name for name in sorted(folders) if not name.startswith((".", "_"))]
        for name in sorted(files):
            if name.endswith(ENDINGS):
                count += 1
                yield Path(folder) / name
        if visited >= MAX_FOLDERS or count >= MAX_FILES:
            return
