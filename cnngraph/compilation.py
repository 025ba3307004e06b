"""Compilation: from a spec's name, file or text to its graph and all that is wrong. Needs no PyTorch."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING

from cnngraph.diagnostics import Diagnostic, Source, SpecError, has_errors
from cnngraph.document import LIMITS, Limits, Value, read_file
from cnngraph.elaborate.elaborate import MAX_NODES, collector_paused, elaborate
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override, load_spec
from cnngraph.language.model import Spec
from cnngraph.library import find_file, find_network, is_name, shown
from cnngraph.ops.registry import Registry, load_ops

if TYPE_CHECKING:
    from cnngraph.recipe import Recipe

WRITTEN_OUT = 5  # how much more text a network takes whose nodes are all written out


@dataclass(frozen=True)
class Compilation:
    """A spec, the graph that came of it, and all that is wrong.

    With errors, `graph` is the part that stands, if any does. A library of blocks has no graph. `recipe` is the one
    that the spec names or holds. The spec imports from `folder`; `recompile` compiles another text as this one was.
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
) -> Compilation:
    """Read, check and elaborate a spec: a name of the library, or a file.

    A file has a separator in its path, or ends in .yaml or .yml. Never raises for what is wrong: see `diagnostics`.
    """
    text = os.fspath(spec)
    try:
        registry = Registry(load_ops(plugins))
        path = find_network(text) if is_name(text) else find_file(text)
        source = read_file(path, shown(path) if is_name(text) else text, limits_for(max_nodes))
        changes = tuple(overrides)
        return compile_text(source, path.parent, changes, input, registry=registry, max_nodes=max_nodes, fixes=True)
    except SpecError as error:
        return Compilation(None, None, error.diagnostics)


def compile_text(
    source: Source,
    folder: Path,
    overrides: Iterable[Override] = (),
    input: Value | None = None,
    *,
    registry: Registry | None = None,
    max_nodes: int = MAX_NODES,
    fixes: bool = False,
) -> Compilation:
    """The same for a spec's text, which imports as if it stood in `folder`; with `fixes`, these are searched."""
    changes = tuple(overrides)

    def compiled(text: str) -> Compilation:
        return _compile(Source(source.name, text), folder, changes, input, registry or Registry(), max_nodes)

    began = process_time()
    result = compiled(source.text)
    seconds = process_time() - began
    result = replace(result, folder=folder, recompile=compiled)
    if not fixes or result.ok:
        return result

    from cnngraph.fixes import with_fixes  # imported where they are needed: most specs are fine, and name no recipe

    nodes = len(result.graph.nodes) if result.graph else 0
    found = with_fixes(source, result.diagnostics, nodes, seconds, lambda text: compiled(text).diagnostics)
    return replace(result, diagnostics=found)


def _compile(
    source: Source,
    folder: Path,
    overrides: tuple[Override, ...],
    input: Value | None,
    registry: Registry,
    max_nodes: int,
) -> Compilation:
    """Read, check and elaborate a text."""
    try:
        with collector_paused():
            limits = limits_for(max_nodes)
            parsed, mistakes = load_spec(source, folder, overrides, input, limits)
            if parsed is None:
                return Compilation(None, None, tuple(mistakes))
            result = elaborate(parsed, registry, max_nodes=max_nodes, sound=not has_errors(mistakes))
    except SpecError as error:
        return Compilation(None, None, error.diagnostics)
    recipe, wrong = _own_recipe(parsed)
    return Compilation(parsed, result.graph, (*mistakes, *result.diagnostics, *wrong), recipe)


def limits_for(max_nodes: int) -> Limits:
    """How large the text may be. Who raises the bound on nodes may write every one of them out."""
    return LIMITS if max_nodes <= MAX_NODES else LIMITS.scaled(WRITTEN_OUT * max_nodes / MAX_NODES)


def _own_recipe(spec: Spec) -> tuple[Recipe | None, Sequence[Diagnostic]]:
    """The recipe that a spec names or holds, and what is wrong with it."""
    if spec.train is None:
        return None, ()

    from cnngraph.recipe import read_recipe
    from cnngraph.recipe.changed import find_table

    try:
        table, name = find_table(spec.train, None)
    except SpecError as error:
        return None, error.diagnostics
    return read_recipe(table, name=name)
