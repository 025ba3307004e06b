"""One random variant per seed: what must hold for all of them, and for those that are valid."""

from __future__ import annotations

import random
import warnings
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from cnngraph.backend import lower
from cnngraph.compilation import Compilation, compile_text
from cnngraph.diagnostics import Source
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node, Scope
from cnngraph.graph.path_patterns import matches_path
from cnngraph.graph.plain_spec import one_file, plain_spec
from cnngraph.language.write import write_spec
from tests.fuzz import cases
from tests.fuzz.checks import LARGEST
from tests.fuzz.checks import MAIN as DRAWN
from tests.fuzz.shrinking import shrunk, smaller_texts
from tests.fuzz.spec_tree import spec_files
from tests.fuzz.variants import BASE, BUNDLED, MAIN, PLAIN, UNITS, Variant, VariantDrawer

BUILT = 0.3  # of the valid ones


def run(seed: int, folder: Path, counts: Counter[str]) -> cases.Failure | None:
    """Draw and check the variant of a seed."""
    rng = random.Random(f"variant {seed}")
    files = base_files(seed, rng)
    base = compiled(files, BASE, folder)
    if not base.ok or base.graph is None or not base.graph.nodes:
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        variant = VariantDrawer(rng, files, base.graph).draw()
        return tried(seed, variant, folder, counts, build=rng.random() < BUILT)


def base_files(seed: int, rng: random.Random) -> dict[str, str]:
    """The files of a base: a plain one, a bundled network, or a random one."""
    kind = rng.random()
    if kind < 0.45:
        return {BASE: PLAIN, "units.yaml": UNITS}
    if kind < 0.6:
        name = rng.choice(sorted(BUNDLED))
        params = f"params: {BUNDLED[name]}\n" if BUNDLED[name] else ""
        return {BASE: f"cnngraph: 1\nextends: {name}\n{params}", "units.yaml": UNITS}
    files = spec_files(cases.draw(seed)[1], DRAWN)
    renamed = {"first.yaml" if name == "base.yaml" else name: text for name, text in files.items()}
    text = renamed.pop(DRAWN).replace("extends: base.yaml", "extends: first.yaml")
    return {**renamed, BASE: text}


def tried(seed: int, variant: Variant, folder: Path, counts: Counter[str], *, build: bool) -> cases.Failure | None:
    """Check a variant, and minimise it if it fails."""

    def error_of(files: Mapping[str, str], counts: Counter[str]) -> Exception | None:
        try:
            check(Variant(dict(files), variant.rules, variant.nets, variant.alone), folder, counts, build=build)
        except Exception as error:  # any exception of the compiler is a failure
            return error
        return None

    error = error_of(variant.files, counts)
    if error is None:
        return None
    kind = cases.kind_of(error)

    def fails(smaller: Mapping[str, str]) -> bool:
        other = error_of(smaller, Counter())
        return other is not None and cases.kind_of(other) == kind

    return cases.Failure(seed, error, shrunk(variant.files, smaller_texts, fails))


def compiled(files: Mapping[str, str], name: str, folder: Path) -> Compilation:
    """Compile one of several files."""
    for other, text in files.items():
        (folder / other).write_text(text, encoding="utf-8")
    return compile_text(Source(name, files[name]), folder)


def check(variant: Variant, folder: Path, counts: Counter[str], *, build: bool) -> None:
    """Assert what holds for every variant."""
    result = compiled(variant.files, MAIN, folder)
    messages = [str(diagnostic) for diagnostic in result.diagnostics]
    again = compiled(variant.files, MAIN, folder)
    assert messages == [str(diagnostic) for diagnostic in again.diagnostics], "the same text gave other diagnostics"
    assert result.ok or messages
    assert not any("internal error" in line for line in messages), messages
    counts["accepted" if result.ok else "refused"] += 1
    counts.update({diagnostic.code for diagnostic in result.diagnostics})
    if not result.ok:
        check_errors(result)
        return
    assert result.graph is not None
    assert result.spec is not None
    if not result.graph.nodes:
        assert compile_text(Source(MAIN, plain_spec(result.graph)), folder).ok
        return
    expected = structure(result.graph)
    texts = {"one_file": one_file(result.spec, result.graph, None), "plain_spec": plain_spec(result.graph)}
    if not result.spec.replaces_outputs:
        texts["write_spec"] = write_spec(result.spec)
    unused = {node.path for node in result.graph.nodes if node.unused}
    if any(node.shares in unused and not node.unused for node in result.graph.nodes):
        del expected["nodes"]  # in a plain spec, the first node that runs such a module is the node of the module
    for kind, text in texts.items():
        other = compile_text(Source(MAIN, text), folder)
        assert other.ok, f"{kind} has an error: {next(str(item) for item in other.diagnostics)}\n{text}"
        assert other.graph is not None
        assert_equal(expected, structure(other.graph), kind)
    if build and result.graph.num_params < LARGEST:
        state = {key: tuple(value.shape) for key, value in lower(result.graph).state_dict().items()}
        assert list(state.items()) == list(result.graph.state.items()), f"keys: {state}"
    if variant.alone and variant.rules:
        check_rules(variant, result.graph, folder)


def check_errors(result: Compilation) -> None:
    """Every error has a place, and none is reported twice."""
    seen = set()
    for item in result.diagnostics:
        assert item.span is not None, f"no place: {item}"
        key = (item.code, item.span, item.message)
        assert key not in seen, f"twice: {item}"
        seen.add(key)


def structure(graph: Graph) -> dict[str, Any]:
    """Everything that a built network consists of; a concatenation that `carry` implies has no name of its own."""
    names: dict[str, str] = {}
    for node in graph.nodes:
        if is_implied(node):
            names[node.path] = f"concat({', '.join(names.get(path, path) for path in node.inputs)})"
    ends = {
        name: (graph.nodes[ref.node].op, ref.output) if ref.node >= 0 else ref for name, ref in graph.outputs.items()
    }
    return {
        "state": list(graph.state.items()),
        "nodes": sorted((_node(node, names) for node in graph.nodes if not (node.unused and node.shares)), key=str),
        "outputs": (ends, graph.output_shapes, sorted(graph.training_only)),
        "macs": graph.macs,
    }


def is_implied(node: Node) -> bool:
    """Whether a node is a concatenation that `carry` implies, or what a plain spec has instead."""
    last = node.path.rpartition(".")[2]
    return node.op == "concat" and (last == "in" or last.startswith("concat"))


def _node(node: Node, names: Mapping[str, str]) -> tuple[Any, ...]:
    inputs = tuple(names.get(path, path) for path in node.inputs)
    return names.get(node.path, node.path), node.operation, inputs, node.types, node.shares, node.unused


def assert_equal(expected: Mapping[str, Any], found: Mapping[str, Any], kind: str) -> None:
    for key, value in expected.items():
        assert found[key] == value, f"{kind} has other {key}: {found[key]} instead of {value}"


# -- rules


def check_rules(variant: Variant, graph: Graph, folder: Path) -> None:
    """What no rule matches is as in the base, and what one matches is not."""
    base = compiled(variant.files, BASE, folder).graph
    assert base is not None
    text = "".join(variant.files.values())
    rules = [rule for rule in variant.rules if _in_text(rule, variant.files[MAIN])]
    if len(rules) != len(variant.rules):  # minimised: the rules are not known any more
        return
    found = {node.path: node for node in graph.nodes}
    if "when:" not in text and "extends" not in variant.files[BASE] and not any(_renames(rule) for rule in rules):
        for node, around in _with_scopes(base.root, base):
            if not any(_fits(rule["match"], node, around) for rule in rules):
                assert node.path in found, f"{node.path} is missing, which no rule matches"
                assert found[node.path].op == node.op, f"{node.path} is changed, which no rule matches"
    for rule in rules if len(rules) == 1 else ():
        matched = [node for node, _ in _with_scopes(base.root, base) if _is(rule["match"], node)]
        for node in matched:
            other = found.get(node.path)
            if rule.get("remove") is True and other is not None and not is_implied(node):
                raise AssertionError(f"{node.path} is not removed")
            op = rule.get("op")
            if isinstance(op, str) and other is not None and not is_implied(node) and op in ("relu", "silu", "conv"):
                assert other.op == op, f"{node.path} is still {other.op}"


def _in_text(rule: Mapping[str, Any], text: str) -> bool:
    from tests.fuzz.spec_tree import written

    return written(rule) in text


def _renames(rule: Mapping[str, Any]) -> bool:
    """Whether a rule may bring nodes that other rules match."""
    return "repeat" in rule


def _with_scopes(
    scope: Scope, graph: Graph, around: tuple[Scope, ...] = ()
) -> Iterator[tuple[Node, tuple[Scope, ...]]]:
    for child in scope.children:
        if isinstance(child, Scope):
            yield from _with_scopes(child, graph, (*around, child))
        else:
            yield graph.nodes[child], around


def _is(match: str, node: Node) -> bool:
    """Whether a pattern matches an operation itself."""
    return match == node.op or matches_path(match, node.shares or node.path)


def _fits(match: str, node: Node, around: tuple[Scope, ...]) -> bool:
    """Whether a pattern matches an operation or a module around it, by its own path or that of what it shares."""
    paths = [node.path, *(scope.path for scope in around), *([node.shares] if node.shares else [])]
    paths += [path.rpartition(".")[0] for path in paths]
    names = [node.op, *(scope.block for scope in around)]
    return match in names or any(matches_path(match, path) for path in paths if path) or match == "single"
