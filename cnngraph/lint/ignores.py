"""The entries of `ignore` in a spec and its files, and the warnings they apply to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cached_property

from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.frozen import frozen
from cnngraph.language.model import Ignore
from cnngraph.lint.network import Network, nodes_of
from cnngraph.lint.rule import all_rules
from cnngraph.lint.selection import Selection, known_codes


@frozen(slots=False)
class Ignores:
    """All entries of `ignore` in a network's files.

    A node's entry applies to the node's text and to everything inside it, including the nodes of a block that it uses.
    A file's entry applies to that file; an entry of the spec itself applies to everything.
    """

    network: Network
    entries: tuple[Ignore, ...]

    @classmethod
    def of(cls, network: Network) -> Ignores:
        """The entries of a network's spec, of the files that it extends, and of its blocks."""
        spec = network.spec
        files = [entry for library in spec.library.with_imports() for entry in library.ignore]
        nodes = [entry for node in nodes_of(spec) for entry in node.ignore]
        return cls(network, (*files, *nodes))

    def about(self, warning: Diagnostic) -> Iterator[Ignore]:
        """The entries that suppress a warning."""
        return (entry for entry in self._by_code.get(warning.code, ()) if self._reaches(entry, warning))

    @cached_property
    def _by_code(self) -> dict[str, list[Ignore]]:
        found: dict[str, list[Ignore]] = {}
        for entry in self.entries:
            found.setdefault(entry.code.text, []).append(entry)
        return found

    def cover(self, diagnostic: Diagnostic) -> bool:
        """Whether a diagnostic is suppressed."""
        return not diagnostic.is_error and any(self.about(diagnostic))

    def unused(self, found: Iterable[Diagnostic], selection: Selection) -> tuple[Ignore, ...]:
        """The entries in the spec's own file that suppress none of the warnings found, for rules that were run.

        Empty if the command line overrides values, which may remove the reason for an entry.
        """
        spec = self.network.spec
        if self.network.graph is None or (spec.base is not None and spec.base.source == spec.source):
            return ()
        used = {entry.code.span for warning in found for entry in self.about(warning)}
        own = (entry for entry in self.entries if entry.code.span.source == spec.source)
        return tuple(
            entry for entry in own if entry.code.span not in used and self._was_run(entry.code.text, selection)
        )

    def _was_run(self, code: str, selection: Selection) -> bool:
        """Whether the rule with this code was run; true for an unknown code."""
        if code not in known_codes():
            return True
        needs = any(rule.needs_recipe for rule in all_rules() if rule.code == code)
        return selection.wants(code) and not (needs and (self.network.recipe is None or self.network.chosen))

    def _reaches(self, entry: Ignore, warning: Diagnostic) -> bool:
        file, span = entry.code.span.source, warning.span
        if entry.within is None:
            return span is None or file in (span.source, self.network.spec.source)
        if span is not None and span.source == file and _holds(entry.within, span):
            return True
        start = (file, entry.within.line, entry.within.column)
        return warning.node is not None and start in self._places_around(warning.node)

    def _places_around(self, path: str) -> set[tuple[Source, int, int]]:
        """The starts of the blocks, repeats and inline nodes on a path."""
        parts = path.split(".")
        paths = (".".join(parts[:end]) for end in range(1, len(parts) + 1))
        return {place for outer in paths if (place := self._places.get(outer))}

    @cached_property
    def _places(self) -> dict[str, tuple[Source, int, int]]:
        graph = self.network.graph
        spans = {scope.path: scope.span for scope in graph.scopes()} if graph else {}
        return {path: (span.source, span.line, span.column) for path, span in spans.items()}


def _holds(outer: Span, inner: Span) -> bool:
    first, last = (outer.line, outer.column), (outer.end_line, outer.end_column)
    return first <= (inner.line, inner.column) and (inner.end_line, inner.end_column) <= last
