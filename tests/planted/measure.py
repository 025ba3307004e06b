"""How `check` reports planted errors: the number of errors, their place, the fix and whether it is right."""

from __future__ import annotations

import atexit
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from functools import cache
from itertools import pairwise
from pathlib import Path
from random import Random
from shutil import copyfile, rmtree
from tempfile import mkdtemp

from cnngraph.compilation import Compilation, compile_text
from cnngraph.diagnostics import Diagnostic, Severity, Source, apply_edits
from cnngraph.fixes.apply import fixed
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Node
from tests.planted.corpus import corpus
from tests.planted.kinds import Plant, plant
from tests.planted.places import ValidSpec
from tests.planted.slips import KINDS

NAMELESS = ("node_named_twice",)  # kinds after which the original name cannot be recovered
COMMUTATIVE = ("add", "mul", "maximum")
MAX_ATTEMPTS = 30  # to find a plant of a kind: many changes are no errors


@dataclass(frozen=True)
class Result:
    """The result of one plant."""

    plant: Plant
    errors: tuple[Diagnostic, ...]
    at_line: bool  # the first error is on the line of the slip, or names it
    offered: bool
    passes: bool  # with the first fix applied, there is no error
    right: bool  # with the first fix applied, the network is the original one

    @property
    def single(self) -> bool:
        """Whether there is exactly one error."""
        return len(self.errors) == 1


def compiled(spec: ValidSpec, text: str, fixes: bool = False) -> Compilation:
    """The compilation of a changed spec."""
    return compile_text(Source(spec.name, text, spec.folder / spec.name), spec.folder, fixes=fixes)


def sample(seed: int, count: int, kinds: Iterable[str] = tuple(KINDS)) -> Iterator[Result]:
    """Results of `count` plants of each kind in random specs."""
    for name in kinds:
        random = Random(f"{seed} {name}")
        for _ in range(count):
            result = _planted(name, random)
            if result:
                yield result


def _planted(name: str, random: Random) -> Result | None:
    for _ in range(MAX_ATTEMPTS):
        spec = random.choice(corpus())
        planted = plant(name, spec, random)
        if planted is None:
            continue
        result = compiled(spec, planted.text)
        if not result.ok:
            result = compiled(spec, planted.text, fixes=True)
        errors = tuple(diagnostic for diagnostic in result.diagnostics if diagnostic.severity is Severity.ERROR)
        if errors:
            return judged(planted, errors)
    return None


@dataclass(frozen=True)
class Pair:
    """The result of `check --fix` on a spec with two errors."""

    plants: tuple[Plant, Plant]
    text: str
    errors: tuple[Diagnostic, ...]  # before any fix
    fixes: tuple[str, ...]
    left: tuple[Diagnostic, ...]
    right: bool  # there is no error left, and the network is the original one


def pairs(seed: int, count: int, kinds: Sequence[str] = tuple(KINDS)) -> Iterator[Pair]:
    """Results of `count` pairs of random errors on different lines of random specs; each alone is an error."""
    random = Random(f"{seed} pairs")
    found = 0
    while found < count:
        spec = random.choice(corpus())
        plants = [plant(random.choice(kinds), spec, random) for _ in range(2)]
        if any(planted is None or compiled(spec, planted.text).ok for planted in plants):
            continue
        one, two = (planted for planted in plants if planted)
        text = merged(spec.text, one.text, two.text)
        if text is not None:
            found += 1
            yield _paired((one, two), text)


def _paired(plants: tuple[Plant, Plant], text: str) -> Pair:
    spec = plants[0].spec
    folder = _copy_of(spec.folder)  # bundled files are never changed

    def check(changed: Mapping[str, str]) -> tuple[Diagnostic, ...]:
        source = Source(spec.name, changed.get(spec.name, text), folder / spec.name)
        return compile_text(source, folder, fixes=True).diagnostics

    result = fixed(check)
    end, original = (compiled(spec, final).graph for final in (result.texts.get(spec.name, text), spec.text))
    right = result.ok and same(end, original, names=not any(planted.kind in NAMELESS for planted in plants))
    return Pair(plants, text, check({}), tuple(map(str, result.applied)), result.diagnostics, right)


@cache
def _copy_of(folder: Path) -> Path:
    """A copy of a folder's specs that is deleted when the process ends."""
    place = Path(mkdtemp())
    atexit.register(rmtree, place)
    for path in folder.rglob("*.yaml"):
        (place / path.relative_to(folder)).parent.mkdir(parents=True, exist_ok=True)
        copyfile(path, place / path.relative_to(folder))
    return place


def merged(original: str, one: str, two: str) -> str | None:
    """The text with both changes, or None if they touch the same or adjacent lines."""
    lines = original.splitlines(keepends=True)
    changes = [
        (start, end, changed[first:last])
        for changed in (one.splitlines(keepends=True), two.splitlines(keepends=True))
        for tag, start, end, first, last in SequenceMatcher(None, lines, changed, autojunk=False).get_opcodes()
        if tag != "equal"
    ]
    changes.sort(reverse=True)
    if any(end + 1 > start for (start, _, _), (_, end, _) in pairwise(changes)):
        return None
    for start, end, new in changes:
        lines[start:end] = new
    return "".join(lines)


def judged(planted: Plant, errors: tuple[Diagnostic, ...]) -> Result:
    """The result of a plant, judged by its first error."""
    first = errors[0]
    named = [first.line, *map(int, re.findall(re.escape(planted.spec.name) + r":(\d+)", str(first)))]
    named += [line for fix in first.fixes[:1] for edit in fix.edits for line in (edit.span.line, edit.span.end_line)]
    passes = right = False
    if first.fixes:
        text = apply_edits(planted.text, first.fixes[0].edits)
        fixed = compiled(planted.spec, text)
        passes = fixed.ok
        original = compiled(planted.spec, planted.spec.text)
        right = passes and same(fixed.graph, original.graph, names=planted.kind not in NAMELESS)
    near = any(line in (planted.line, planted.line - 1, planted.line + 1) for line in named if line)
    if planted.kind == "node_removed":  # its line is gone: the line of a node that reads it counts
        removed = planted.what.split()[0]
        near = near or any(removed in planted.text.splitlines()[line - 1] for line in named if line)
        return Result(planted, errors, near, bool(first.fixes), passes, right)
    at_line = planted.line in named or (near and errors[0].code in ("E102", "E103"))
    return Result(planted, errors, at_line, bool(first.fixes), passes, right)


def same(a: Graph | None, b: Graph | None, names: bool) -> bool:
    """Whether two graphs compute the same; with `names`, also with the same names of weights."""
    return a is not None and b is not None and _facts(a, names) == _facts(b, names)


def _facts(graph: Graph, names: bool) -> object:
    nodes = [
        (node.path if names else "", *_call(graph, node), node.types, node.shares if names else None)
        for node in graph.nodes
    ]
    return nodes, graph.inputs, graph.outputs, [(rule.match, rule.values) for rule in graph.init]


def _call(graph: Graph, node: Node) -> tuple[object, object]:
    """The PyTorch call and its inputs: `padding: half` equals `padding: 1` for a kernel of 3, a + b equals b + a."""
    types = tuple(map(graph.type_of, node.reads))
    arguments = tuple(f"x{number}" for number in range(len(types)))
    reads = tuple(sorted(node.reads)) if node.op in COMMUTATIVE else node.reads
    return node.operation.layer(*types) or node.operation.code(arguments, *types), reads


def table(results: Iterable[Result]) -> str:
    """A table of the statistics by kind and in total."""
    groups: dict[str, list[Result]] = {}
    everything: list[Result] = []
    for result in results:
        groups.setdefault(result.plant.kind, []).append(result)
        everything.append(result)
    lines = [f"{'kind':32}{'plants':>7}{'single':>7}{'line':>7}{'fix':>7}{'passes':>8}{'right':>7}"]
    for name, group in [*groups.items(), ("all", everything)]:
        offered = [result for result in group if result.offered]
        percentages = (
            share(result.single for result in group),
            share(result.at_line for result in group),
            share(result.offered for result in group),
            share(result.passes for result in offered),
            share(result.right for result in offered),
        )
        lines.append(f"{name:32}{len(group):7}" + "{:6.0f}%{:6.0f}%{:6.0f}%{:7.0f}%{:6.0f}%".format(*percentages))
    return "\n".join(lines)


def share(holds: Iterable[bool]) -> float:
    """The percentage that is true; 100 for none."""
    values = list(holds)
    return 100 * sum(values) / len(values) if values else 100.0
