"""What a Python program calls: load, check, build and load_weights. PyTorch is imported by the last two alone."""

from __future__ import annotations

import os
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from time import process_time
from typing import TYPE_CHECKING, Any

from cnngraph.diagnostics import Diagnostic, Severity, Source, Span, SpecError
from cnngraph.document import LIMITS, Limits, Table, Value, read_file, value_of
from cnngraph.elaborate.bases import base_names
from cnngraph.elaborate.elaborate import MAX_NODES, collector_paused, elaborate
from cnngraph.fixes import with_fixes
from cnngraph.graph.graph import Graph
from cnngraph.language.load import Override, load_spec
from cnngraph.language.model import Spec
from cnngraph.library import find_file, find_network, is_name, shown
from cnngraph.ops.registry import Registry, load_ops
from cnngraph.packages import explained
from cnngraph.recipe import Recipe, check_fit, read_recipe, recipe_table
from cnngraph.recipe.changed import find_table, read_changed
from cnngraph.recipe.fit import Norm, check_batches

if TYPE_CHECKING:
    from torch import nn

    from cnngraph.backend import WeightsReport

WARNINGS = {"E605": "W605", "E610": "W610", "E611": "W611", "E612": "W612", "E613": "W613"}
FOLLOWING = {"W320"}  # warnings that an error may be the reason for: a param is unused where its use is misspelt
OWN_RECIPE = "the spec's own recipe cannot train the network as it is"
WRITTEN_OUT = 5  # how much more text a network takes whose nodes are all written out


@dataclass(frozen=True)
class Compilation:
    """A spec, the graph that came of it, and all that is wrong.

    With errors, `graph` is the part that stands, if any does. A library of blocks has no graph.
    """

    spec: Spec | None
    graph: Graph | None
    diagnostics: tuple[Diagnostic, ...]

    @property
    def ok(self) -> bool:
        """Whether there is no error."""
        return all(each.severity is not Severity.ERROR for each in self.diagnostics)


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
        source = read_file(path, shown(path) if is_name(text) else text, _limits(max_nodes))
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
    if not fixes or result.ok:
        return result
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
            limits = _limits(max_nodes)
            parsed, mistakes = load_spec(source, folder, overrides, input, limits)
            if parsed is None:
                return Compilation(None, None, tuple(mistakes))
            sound = all(each.severity is not Severity.ERROR for each in mistakes)
            result = elaborate(parsed, registry, max_nodes=max_nodes, sound=sound)
    except SpecError as error:
        return Compilation(None, None, error.diagnostics)
    told = (*mistakes, *result.diagnostics, *_recipe_mistakes(parsed))
    if any(each.severity is Severity.ERROR for each in told):
        told = tuple(each for each in told if each.code not in FOLLOWING)
    return Compilation(parsed, result.graph, told)


def _limits(max_nodes: int) -> Limits:
    """How large the text may be. Who raises the bound on nodes may write every one of them out."""
    return LIMITS if max_nodes <= MAX_NODES else LIMITS.scaled(WRITTEN_OUT * max_nodes / MAX_NODES)


def _recipe_mistakes(spec: Spec) -> tuple[Diagnostic, ...]:
    """What is wrong with the recipe that a spec names or holds."""
    if spec.train is None:
        return ()
    try:
        table = spec.train if isinstance(spec.train, Table) else recipe_table(spec.train.text, spec.train.span)
    except SpecError as error:
        return error.diagnostics
    return tuple(read_recipe(table, name=spec.name)[1])


def load(spec: str | Path, /, **params: Any) -> Graph:
    """The checked graph of a spec, a file or a name of the library; `params` replace the spec's.

    Raises SpecError. Needs no PyTorch.
    """
    compilation = compile_spec(spec, _overrides(params))
    if not compilation.ok:
        raise SpecError(compilation.diagnostics)
    if compilation.graph is None:
        raise SpecError([Diagnostic("E107", f"{spec} is a library of blocks: there is no network in it")])
    return compilation.graph


def check(spec: str | Path, /, **params: Any) -> list[Diagnostic]:
    """All that is wrong with a spec, a file or a name of the library; an empty list if it is fine."""
    compilation = compile_spec(spec, _overrides(params))
    return [*compilation.diagnostics, *own_recipe_misfits(compilation)]


def own_recipe_misfits(compilation: Compilation, changes: Iterable[Override] = ()) -> tuple[Diagnostic, ...]:
    """Why a network that stands cannot be trained by the recipe of its own spec, as warnings: another may suit it.

    `changes` are those of single words of the recipe. Raises SpecError where they are wrong.
    """
    spec, graph = compilation.spec, compilation.graph
    if not compilation.ok or graph is None or spec is None or spec.train is None:
        return ()
    table, name = find_table(spec.train, None)
    return tuple(
        replace(each, code=WARNINGS[each.code], severity=Severity.WARNING, notes=(*each.notes, OWN_RECIPE))
        for each in misfits(read_changed(table, changes, name), graph)
    )


def misfits(
    recipe: Recipe, graph: Graph, span: Span | None = None, *, count: int | None = None, **images: Any
) -> list[Diagnostic]:
    """What keeps a network from training by a recipe, on images of that `shape` and so many `classes` if given.

    `count` is the number of training images, if known. Errors are reported at `span`, or else at the network and its
    outputs.
    """
    outputs = {name: graph.type_of(ref) for name, ref in graph.outputs.items()}
    places = {name: graph.nodes[ref.node].span for name, ref in graph.outputs.items() if ref.node >= 0 and not span}
    place = span or graph.root.span
    norms = (
        Norm(each.path, graph.type_of(each.reads[0]), each.span)
        for each in graph.nodes
        if each.op == "batch_norm" and not each.unused
    )
    found = check_fit(recipe, graph.inputs, outputs, span=place, places=places, params=graph.params, **images)
    return found + check_batches(recipe, norms, count)


def build(spec_or_graph: str | Path | Graph, /, **params: Any) -> nn.Module:
    """The network as a torch.nn.Module, with fresh weights. The spec is a file or a name of the library.

    Raises SpecError; PackageError, an ImportError, where PyTorch is not installed or is broken.
    """
    with explained():
        from cnngraph.backend import lower

    if isinstance(spec_or_graph, Graph):
        if params:
            raise TypeError("params belong to a spec; a graph has its values already")
        return lower(spec_or_graph)
    return lower(load(spec_or_graph, **params))


def load_weights(model: nn.Module, weights: str | Path, *, strict: bool = True) -> WeightsReport:
    """Load weights into a network that was built here, and report on every key.

    `weights` is a file, .safetensors or .pth, of which no code is run; `"torchvision"` takes those that it publishes,
    `"torchvision:IMAGENET1K_V1"` those of that name. The renames of the network's spec are applied. All must fit but
    a classifier that a param gives another number of classes, which stays as it is; else SpecError is raised, and the
    model is as it was. Without `strict` what fits is loaded.
    """
    with explained():
        from cnngraph.backend import load_weights, open_weights

    graph = getattr(model, "graph", None)
    names = base_names(graph) if isinstance(graph, Graph) else [type(model).__name__]
    return load_weights(model, open_weights(weights, names), strict=strict)


def _overrides(params: dict[str, Any]) -> list[Override]:
    overrides = []
    for name, value in params.items():
        text = f"{name}={value!r}"
        span = Span(Source("arguments", text), 1, 1, 1, len(text) + 1)
        try:
            overrides.append(Override(name, value_of(value, span)))
        except TypeError as error:
            raise TypeError(f"{name}: {error}") from None
    return overrides
