"""Compilation: from a spec's name, file or text to its graph and diagnostics. Does not need PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import field, replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, Source, SpecError, has_errors
from cnngraph.document import LIMITS, Limits, Value, read_file
from cnngraph.elaborate.elaborate import MAX_NODES, collector_paused, elaborate
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override, load_spec
from cnngraph.language.model import Spec
from cnngraph.library import find_file, find_network, is_name, shown
from cnngraph.ops.registry import Registry, load_ops

if TYPE_CHECKING:
    from cnngraph.fixes.apply import Fixed
    from cnngraph.recipe import Recipe

UNCHANGED: Mapping[str, str] = {}
WRITTEN_OUT = 5  # how much longer the text is if all nodes are written out


@frozen(slots=False)
class Compilation:
    """A spec, its graph and its diagnostics.

    With errors, `graph` is incomplete or None. A library of blocks has no graph. `recipe` is the spec's own. The spec
    imports from `folder`; `recompile` compiles another text in the same way.
    """

    spec: Spec | None
    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]
    recipe: Recipe | None = None
    folder: Path | None = None
    recompile: Callable[[str], Compilation] | None = field(default=None, repr=False, compare=False)

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return not has_errors(self.diagnostics)


def compile_spec(
    spec: str | Path,
    overrides: Iterable[Override] = (),
    input: Value | None = None,
    *,
    max_nodes: int = MAX_NODES,
    plugins: Iterable[str] = (),
    texts: Mapping[str, str] = UNCHANGED,
) -> Compilation:
    """Read, check and elaborate a spec: the name of a bundled network, or a file.

    A file has a separator in its path, or ends in .yaml or .yml. `texts` are used instead of files, by source
    name. Errors are reported in `diagnostics`, not raised.
    """
    text = os.fspath(spec)
    try:
        registry = Registry(load_ops(plugins))
        path = find_network(text) if is_name(text) else find_file(text)
        source = read_file(path, text if path == Path(text) else shown(path), limits_for(max_nodes))
        source = replace(source, text=texts.get(source.name, source.text))
        return compile_text(
            source,
            path.parent,
            overrides,
            input,
            registry=registry,
            max_nodes=max_nodes,
            fixes=True,
            texts=texts,
        )
    except SpecError as error:
        return Compilation(None, None, error.diagnostics)


def network_of(compilation: Compilation, name: str) -> Graph:
    """The graph of a spec called `name`. Raises SpecError with its errors, or E107 for a library of blocks."""
    if not compilation.ok:
        raise SpecError(compilation.diagnostics)
    if compilation.graph is None:
        raise SpecError.of("E107", f"{name} is a library of blocks, not a network")
    return compilation.graph


def fix_spec(
    spec: str | Path,
    overrides: Iterable[Override] = (),
    input: Value | None = None,
    *,
    max_nodes: int = MAX_NODES,
    plugins: Iterable[str] = (),
    lint: Callable[[Compilation], Compilation] | None = None,
) -> Fixed:
    """Search verified fixes for a spec or a library of blocks, and for the author's files that it reads.

    With `lint`, which adds warnings, also for these. Nothing is written: see `Fixed.write` and `Fixed.diff`. A file of
    the library is never changed.
    """
    from cnngraph.fixes.apply import fixed

    changes, names = tuple(overrides), tuple(plugins)

    def check(texts: Mapping[str, str]) -> tuple[Diagnostic, ...]:
        compilation = compile_spec(spec, changes, input, max_nodes=max_nodes, plugins=names, texts=texts)
        return (lint(compilation) if lint else compilation).diagnostics

    return fixed(check)


def compile_text(
    source: Source,
    folder: Path,
    overrides: Iterable[Override] = (),
    input: Value | None = None,
    *,
    registry: Registry | None = None,
    max_nodes: int = MAX_NODES,
    fixes: bool = False,
    texts: Mapping[str, str] = UNCHANGED,
) -> Compilation:
    """Compile a spec's text as if it were a file in `folder`; with `fixes`, search for fixes."""
    changes = tuple(overrides)

    def compiled(tried: Mapping[str, str]) -> Compilation:
        changed = replace(source, text=tried.get(source.name, source.text))
        return _compile(changed, folder, changes, input, registry or Registry(), max_nodes, {**texts, **tried})

    start = process_time()
    result = compiled({})
    seconds = process_time() - start
    result = replace(result, folder=folder, recompile=lambda text: compiled({source.name: text}))
    if not fixes or result.ok:
        return result

    from cnngraph.fixes import with_fixes  # imported on demand: most specs have no errors

    def tried(texts: Mapping[str, str]) -> tuple[tuple[Diagnostic, ...], frozenset[str]]:
        found = compiled(texts)
        return found.diagnostics, _reached(found)

    found = with_fixes(source, result.diagnostics, _reached(result), seconds, tried)
    return replace(result, diagnostics=found)


def _reached(compilation: Compilation) -> frozenset[str]:
    """The paths of the nodes whose shapes are known."""
    return frozenset(node.path for node in compilation.graph.nodes) if compilation.graph else frozenset()


def _compile(
    source: Source,
    folder: Path,
    overrides: tuple[Override, ...],
    input: Value | None,
    registry: Registry,
    max_nodes: int,
    texts: Mapping[str, str],
) -> Compilation:
    """Read, check and elaborate a text; `texts` are used instead of other files."""
    try:
        with collector_paused():
            limits = limits_for(max_nodes)
            parsed, diagnostics = load_spec(source, folder, overrides, input, limits, texts)
            if parsed is None:
                return Compilation(None, None, tuple(diagnostics))
            result = elaborate(parsed, registry, max_nodes=max_nodes, sound=not has_errors(diagnostics))
    except SpecError as error:
        return Compilation(None, None, error.diagnostics)
    recipe, wrong = _own_recipe(parsed)
    graph = result.graph and _explained(result.graph, diagnostics)
    return Compilation(parsed, graph, (*diagnostics, *result.diagnostics, *wrong), recipe)


def _explained(graph: Graph, diagnostics: Sequence[Diagnostic]) -> Graph:
    """The graph, whose nodes that could not be read have the first error at or after their place in the text."""
    if all(error.code for error in graph.errors):
        return graph
    errors = []
    for error in graph.errors:
        places = [
            (item.line or 0, item.column or 0, item.code, item.message)
            for item in diagnostics
            if item.is_error and item.file == error.span.file
        ]
        after = [place for place in places if place[:2] >= (error.span.line, error.span.column)]
        if not error.code and after:
            *_, code, message = min(after)
            error = replace(error, code=code, message=message)
        errors.append(error)
    return replace(graph, errors=tuple(errors))


def limits_for(max_nodes: int) -> Limits:
    """Limits on the text. A raised limit on nodes allows for all of them to be written out."""
    return LIMITS if max_nodes <= MAX_NODES else LIMITS.scaled(WRITTEN_OUT * max_nodes / MAX_NODES)


def _own_recipe(spec: Spec) -> tuple[Recipe | None, Sequence[Diagnostic]]:
    """The spec's own recipe and its diagnostics."""
    if spec.train is None:
        return None, ()

    from cnngraph.recipe import read_recipe
    from cnngraph.recipe.changed import find_table

    try:
        table, name = find_table(spec.train, None)
    except SpecError as error:
        return None, error.diagnostics
    return read_recipe(table, name=name)
