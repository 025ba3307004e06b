"""Running all rules on a compilation, without the warnings that are ignored."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice
from time import process_time
from typing import TYPE_CHECKING

from cnngraph.compilation import Compilation
from cnngraph.diagnostics import Diagnostic, Fix, apply_edits
from cnngraph.frozen import frozen
from cnngraph.language.load import Override
from cnngraph.lint.ignores import Ignores
from cnngraph.lint.network import Network
from cnngraph.lint.rule import all_rules
from cnngraph.lint.selection import EVERYTHING, Selection

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe

MAX_PER_RULE = 1_000  # warnings, including ignored ones
MAX_REPORTED = 50  # warnings with one code
MAX_FIXED = 8  # warnings whose fixes are verified
MAX_TRIES = 3  # fixes tried for one warning
MAX_SECONDS = 1.0  # for verifying all fixes


@frozen(slots=False)
class Lint:
    """How networks are linted.

    `recipe` is the one that the user selected. Without one, the spec's own is used if `own` is true, with fields
    overridden by `changes`. Fixes are only offered with `verify`, which tries them.
    """

    recipe: Recipe | None = None
    own: bool = False
    changes: tuple[Override, ...] = ()
    selection: Selection = EVERYTHING
    verify: bool = True

    def run(self, compilation: Compilation) -> Compilation:
        """The compilation with all warnings except those that are ignored or not selected.

        A network with errors is not linted. Raises SpecError if `changes` are invalid.
        """
        found = self._found(compilation)
        return replace(compilation, diagnostics=tuple(self._fixed(compilation, found)))

    def _found(self, compilation: Compilation) -> list[Diagnostic]:
        """The errors and the selected warnings, with unverified fixes."""
        wants = self.selection.wants
        found = [diagnostic for diagnostic in compilation.diagnostics if diagnostic.is_error or wants(diagnostic.code)]
        network = self._network(compilation)
        if network is None:
            return _not_ignored(compilation, found)
        rules = [rule for rule in all_rules() if wants(rule.code)]
        for rule in rules:
            found += islice(rule.check(network), MAX_PER_RULE) if not rule.is_last else ()
        ignores = Ignores.of(network)
        if ignores.entries:
            network = replace(network, unused_ignores=ignores.unused(found, self.selection))
            found = [diagnostic for diagnostic in found if not ignores.cover(diagnostic)]
            for rule in rules:
                found += islice(rule.check(network), MAX_PER_RULE) if rule.is_last else ()
        return _first_of_each(found)

    def _network(self, compilation: Compilation) -> Network | None:
        """The argument of the rules; None if there is an error."""
        spec, folder = compilation.spec, compilation.folder
        if spec is None or folder is None or not compilation.ok:
            return None
        recipe = self.recipe or (self._own_recipe(compilation) if self.own else None)
        chosen = self.recipe is not None
        return Network(spec, compilation.graph, folder, recipe, chosen, compilation.diagnostics)

    def _own_recipe(self, compilation: Compilation) -> Recipe | None:
        spec = compilation.spec
        if not self.changes or spec is None or spec.train is None:
            return compilation.recipe
        from cnngraph.recipe.changed import find_table, read_changed

        table, name = find_table(spec.train, None)
        return read_changed(table, self.changes, name)

    def _fixed(self, compilation: Compilation, found: list[Diagnostic]) -> Iterator[Diagnostic]:
        """The diagnostics, each with the first proposed fix that is verified."""
        until = process_time() + MAX_SECONDS
        tried = 0
        for diagnostic in found:
            if diagnostic.is_error or not diagnostic.fixes:
                yield diagnostic
                continue
            tried += 1
            verified: list[Fix] = []
            if self.verify and tried <= MAX_FIXED and process_time() < until:
                fixes = diagnostic.fixes[:MAX_TRIES]
                verified = [fix for fix in fixes if self._removes(compilation, found, diagnostic, fix)]
            yield replace(diagnostic, fixes=tuple(verified[:1]))

    def _removes(self, compilation: Compilation, found: Iterable[Diagnostic], warning: Diagnostic, fix: Fix) -> bool:
        """Whether a fix removes the warning without causing another error or warning."""
        spec, recompile = compilation.spec, compilation.recompile
        if spec is None or recompile is None:
            return False
        if any(edit.span.source != spec.source for edit in fix.edits):
            return False
        changed = recompile(apply_edits(spec.source.text, fix.edits))
        after, before = self._found(changed), list(found)
        new = _codes(after) - _codes(before)  # without messages: these may state sizes that the fix changes
        return not new and Counter(map(_key, after))[_key(warning)] < Counter(map(_key, before))[_key(warning)]


def _codes(diagnostics: Iterable[Diagnostic]) -> Counter[str]:
    return Counter(diagnostic.code for diagnostic in diagnostics)


def _not_ignored(compilation: Compilation, found: list[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics of a spec with errors, without warnings that it ignores."""
    spec, folder = compilation.spec, compilation.folder
    if spec is None or folder is None or all(diagnostic.is_error for diagnostic in found):
        return found
    ignores = Ignores.of(Network(spec, None, folder))
    return [diagnostic for diagnostic in found if not ignores.cover(diagnostic)]


def _first_of_each(diagnostics: Iterable[Diagnostic]) -> list[Diagnostic]:
    """The diagnostics, with at most MAX_REPORTED warnings per code."""
    counts: Counter[str] = Counter()
    found = []
    for diagnostic in diagnostics:
        counts[diagnostic.code] += 1
        if diagnostic.is_error or counts[diagnostic.code] <= MAX_REPORTED:
            found.append(diagnostic)
    return found


def _key(diagnostic: Diagnostic) -> tuple[str, str]:
    return diagnostic.code, diagnostic.message
