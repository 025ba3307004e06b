"""Finds for the modules of a network those of another network that they correspond to, by path and by neighbourhood.

Modules of the same path, op and shapes correspond. The others are matched by refinement of colours (Weisfeiler & Leman
1968): a colour begins as op, settings and shapes, and those of all neighbours are added in each round; modules that
already correspond have colours of their own. Two modules whose colour no other module of either network has correspond.
Nothing else is guessed: of equal candidates none is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from cnngraph.graph.graph import Graph
from cnngraph.migration.modules import Module, modules_of, settings

NORMS = frozenset({"batch_norm"})
ROUNDS = 3
MAX_PASSES = 300
MAX_PAIRS = 1_000_000
MAX_MODULES = 20_000  # of networks that are matched by neighbourhood
SHAPE_FIELDS = frozenset({"out", "bias"})

Modules = Mapping[str, Module]


@dataclass(frozen=True, slots=True)
class Matches:
    """The old path of each new one, and how many old modules a new one could equally correspond to."""

    old: Mapping[str, str]
    ambiguous: Mapping[str, int]


def match(old_graph: Graph, new_graph: Graph) -> Matches:
    """Match the modules of two networks."""
    old, new = modules_of(old_graph), modules_of(new_graph)
    same = {path for path in new if path in old and _is_same(old[path], new[path])}
    same_name = {path for path in new if path in old and old[path].op == new[path].op}
    changed = _changed_containers(old, new)
    numbered = {path for path in same_name if _parent_of_number(path) in changed}  # the numbers may have moved on
    found = {path: path for path in new if path in same - numbered}
    ambiguous: dict[str, int] = {}
    if max(len(old), len(new)) <= MAX_MODULES:
        _refine(old, new, found, exclude=same_name)
        shifted = _shifted(old, new, changed)
        _refine(old, new, found, only=shifted)
        if len(_norms(old)) != len(_norms(new)):  # added or removed everywhere: layers are matched without them
            _refine(modules_of(old_graph, NORMS), modules_of(new_graph, NORMS), found, only=shifted)
            _refine(old, new, found, exclude=same_name)
    for paths in (same, same_name):
        taken = set(found.values())
        found |= {path: path for path in new if path in paths and path not in found and path not in taken}
    if max(len(old), len(new)) <= MAX_MODULES:
        ambiguous = _ambiguous(old, new, found)
    return Matches(found, ambiguous)


def _norms(modules: Modules) -> list[str]:
    return [path for path, module in modules.items() if module.op in NORMS]


def _is_same(old: Module, new: Module) -> bool:
    return old.op == new.op and old.shapes == new.shapes


def _refine(
    old: Modules,
    new: Modules,
    found: dict[str, str],
    exclude: set[str] | None = None,
    only: set[tuple[str, str]] | None = None,
) -> None:
    """Add the modules whose colours are unique, until there are no more."""
    for _ in range(MAX_PASSES):
        taken = set(found.values())
        free_old = {path for path in old if path not in taken and not (exclude and path in exclude)}
        free_new = {path for path in new if path not in found and not (exclude and path in exclude)}
        if not free_old or not free_new:
            return
        pairs = _unique_pairs(old, new, found, free_old, free_new)
        if only is not None:
            pairs = {one: two for one, two in pairs.items() if (two, one) in only}
        if not pairs:
            return
        found.update(pairs)


def _unique_pairs(
    old: Modules, new: Modules, found: Mapping[str, str], free_old: set[str], free_new: set[str]
) -> dict[str, str]:
    pairs: dict[str, str] = {}
    anchors = {path: number for number, path in enumerate(found.values())}
    colours = [
        {path: _first(module, anchors.get(path)) for path, module in old.items()},
        {path: _first(module, anchors.get(found.get(path, ""))) for path, module in new.items()},
    ]
    for _ in range(ROUNDS):
        colours = [_next(old, colours[0]), _next(new, colours[1])]
        theirs, ours = (_by_colour(free, colour) for free, colour in zip((free_old, free_new), colours, strict=True))
        for colour, paths in ours.items():
            if len(paths) == 1 and len(theirs.get(colour, ())) == 1:
                pairs[paths[0]] = theirs[colour][0]
        if pairs:
            return pairs
    firsts = [
        {path: _first(module, anchors.get(path)) for path, module in old.items()},
        {path: _first(module, anchors.get(found.get(path, ""))) for path, module in new.items()},
    ]
    for side in ("before", "after"):
        theirs, ours = (
            _by_colour(free, _one_sided(modules, colour, side, known))
            for free, modules, colour, known in (
                (free_old, old, firsts[0], anchors.keys()),
                (free_new, new, firsts[1], found.keys()),
            )
        )
        for colour, paths in ours.items():
            if len(paths) == 1 and len(theirs.get(colour, ())) == 1:
                pairs[paths[0]] = theirs[colour][0]
        if pairs:
            break
    return pairs


def _one_sided(modules: Modules, colours: Mapping[str, int], side: str, known: Iterable[str]) -> dict[str, int]:
    """The colours with those of the neighbours on one side, where they are all matched: beside an inserted module."""
    matched, found = set(known), {}
    for path, module in modules.items():
        around: set[str] = getattr(module, side)
        if around and all(each in matched or each not in modules for each in around):
            found[path] = hash((colours[path], tuple(sorted(colours.get(each, hash(each)) for each in around))))
    return found


def _first(module: Module, anchor: int | None) -> int:
    if anchor is not None:
        return hash(("anchor", anchor))
    return hash((settings(module.operation), tuple(module.shapes.items())))


def _next(modules: Modules, colours: Mapping[str, int]) -> dict[str, int]:
    """The colours with those of the neighbours; inputs and outputs of the network are colours themselves."""

    def around(paths: Iterable[str]) -> Hashable:
        return tuple(sorted(colours.get(path, hash(path)) for path in paths))

    return {
        path: hash((colours[path], around(module.before), around(module.after))) for path, module in modules.items()
    }


def _by_colour(paths: Iterable[str], colours: Mapping[str, int]) -> dict[int, list[str]]:
    found: dict[int, list[str]] = defaultdict(list)
    for path in paths:
        if path in colours:
            found[colours[path]].append(path)
    return found


def _changed_containers(old: Modules, new: Modules) -> set[str]:
    """The containers with numbered children in which modules were inserted, removed or replaced."""
    theirs, ours = _children(old), _children(new)
    return {parent for parent in theirs.keys() & ours.keys() if theirs[parent] != ours[parent]}


def _parent_of_number(path: str) -> str | None:
    """`features` of `features.3`; None if the last part of a path is not a number."""
    parent, _, last = path.rpartition(".")
    return parent if last.isdecimal() else None


def _shifted(old: Modules, new: Modules, changed: set[str]) -> set[tuple[str, str]]:
    """Pairs of paths that differ at most in one number, in changed containers."""
    by_pattern: dict[str, list[str]] = defaultdict(list)
    for path in old:
        for pattern, parent in _starred(path):
            if parent in changed:
                by_pattern[pattern].append(path)
    patterns = ((path, pattern) for path in new for pattern, parent in _starred(path) if parent in changed)
    every = ((candidate, path) for path, pattern in patterns for candidate in by_pattern[pattern])
    return set(islice(every, MAX_PAIRS))


def _children(modules: Modules) -> dict[str, frozenset[tuple[str, str]]]:
    """For each container with numbered children, the paths and ops in it."""
    found: dict[str, set[tuple[str, str]]] = defaultdict(set)
    for path, module in modules.items():
        for _, parent in _starred(path):
            found[parent].add((path, module.op))
    return {parent: frozenset(paths) for parent, paths in found.items()}


def _starred(path: str) -> list[tuple[str, str]]:
    """`features.*.conv` and its parent `features` for each number in a path."""
    parts = path.split(".")
    return [
        (".".join([*parts[:at], "*", *parts[at + 1 :]]), ".".join(parts[:at]))
        for at, part in enumerate(parts)
        if part.isdecimal()
    ]


def _ambiguous(old: Modules, new: Modules, found: Mapping[str, str]) -> dict[str, int]:
    """The number of unmatched old modules with the op, shapes and neighbours of a new one, if there are several."""
    taken = set(found.values())
    free: dict[Hashable, int] = defaultdict(int)
    for path, module in old.items():
        if path not in taken:
            free[(settings(module.operation), tuple(module.shapes.items()), _kinds(old, module))] += 1
    counts = {
        path: free.get((settings(module.operation), tuple(module.shapes.items()), _kinds(new, module)), 0)
        for path, module in new.items()
        if path not in found
    }
    return {path: count for path, count in counts.items() if count > 1}


def _kinds(modules: Modules, module: Module) -> Hashable:
    return tuple(
        tuple(sorted(modules[path].op if path in modules else path for path in paths))
        for paths in (module.before, module.after)
    )
