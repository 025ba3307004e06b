"""Finds for the modules of a network those of another network that they correspond to, by path and by neighbourhood.

Modules of the same path, op and shapes correspond. The others are matched by refinement of colours (Weisfeiler & Leman
1968): a colour begins as op, settings and shapes, and those of all neighbours are added in each round; modules that
already correspond have colours of their own. Two modules whose colour no other module of either network has correspond.
What is left is matched once more by its place alone, with the kind of module as the first colour: a layer that was
renamed and resized at once. Nothing else is guessed: of equal candidates none is taken.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from itertools import islice

from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.migration.layers import is_possible
from cnngraph.migration.modules import Module, modules_of, settings

BATCH_NORMS = frozenset({"batch_norm"})
ROUNDS = 3
MAX_WORK = 4_000_000  # modules that are given a colour
MAX_PAIRS = 1_000_000
MAX_MODULES = 20_000  # of networks that are matched by neighbourhood
SHAPE_FIELDS = frozenset({"out", "bias"})

Modules = Mapping[str, Module]


@frozen
class Matches:
    """The old path of each new one, and how many old modules a new one could equally correspond to."""

    old: Mapping[str, str]
    ambiguous: Mapping[str, int]


def match(old_graph: Graph, new_graph: Graph) -> Matches:
    """Match the modules of two networks."""
    old, new = modules_of(old_graph), modules_of(new_graph)
    same = {path for path in new if path in old and _is_same(old[path], new[path])}
    same_name = {path for path in new if path in old and old[path].family == new[path].family}
    changed = _changed_containers(old, new)
    numbered = {path for path in same_name if _parent_of_number(path) in changed}  # the numbers may have moved on
    found = {path: path for path in new if path in same - numbered}
    ambiguous: dict[str, int] = {}
    if max(len(old), len(new)) <= MAX_MODULES:
        _refine(old, new, found, exclude=same_name)
        shifted = _shifted(old, new, changed)
        _refine(old, new, found, only=shifted)
        if len(_norms(old)) != len(_norms(new)):  # added or removed everywhere: layers are matched without them
            _refine(modules_of(old_graph, BATCH_NORMS), modules_of(new_graph, BATCH_NORMS), found, only=shifted)
            _refine(old, new, found, exclude=same_name)
    for paths in (same, same_name):
        taken = set(found.values())
        found |= {path: path for path in new if path in paths and path not in found and path not in taken}
    if max(len(old), len(new)) <= MAX_MODULES:
        _refine(old, new, found, by_place=True)
        ambiguous = _ambiguous(old, new, found)
    return Matches(found, ambiguous)


def _norms(modules: Modules) -> list[str]:
    return [path for path, module in modules.items() if module.family == "norm"]


def _is_same(old: Module, new: Module) -> bool:
    return old.op == new.op and old.shapes == new.shapes


def _refine(
    old: Modules,
    new: Modules,
    found: dict[str, str],
    exclude: frozenset[str] | set[str] = frozenset(),
    only: set[tuple[str, str]] | None = None,
    by_place: bool = False,
) -> None:
    """Add the modules whose colours are unique, until there are no more; with `by_place` regardless of their sizes."""
    sides = (_Side.of(old, exclude, by_place), _Side.of(new, exclude, by_place))
    work = 0
    while work < MAX_WORK:
        work += len(old) + len(new)
        for side, known in zip(sides, (found.values(), found), strict=True):
            side.anchors = {path: number for number, path in enumerate(known)}
        pairs = _unique_pairs(*sides)
        if only is not None:
            pairs = {path: old_path for path, old_path in pairs.items() if (old_path, path) in only}
        if by_place:
            pairs = {path: old_path for path, old_path in pairs.items() if is_possible(old[old_path], new[path])}
        if not pairs:
            return
        found.update(pairs)


@dataclass(slots=True)
class _Side:
    """One of the networks: its modules, their first colours, those that may be matched, and those that are."""

    modules: Modules
    first: dict[str, int]
    free: set[str]
    anchors: dict[str, int]
    by_place: bool

    @classmethod
    def of(cls, modules: Modules, exclude: frozenset[str] | set[str], by_place: bool) -> _Side:
        first = {
            path: hash(module.family if by_place else (settings(module.operation), tuple(module.shapes.items())))
            for path, module in modules.items()
        }
        return cls(modules, first, set(modules) - exclude, {}, by_place)

    def start(self) -> dict[str, int]:
        """The first colours; a module that is matched has one of its own."""
        own = {path: hash(("matched", number)) for path, number in self.anchors.items() if path in self.modules}
        return self.first | own

    def next(self, colours: Mapping[str, int]) -> dict[str, int]:
        """The colours with those of the neighbours; inputs and outputs of the network are colours themselves."""
        return {
            path: hash((colours[path], _around(colours, module.before), _around(colours, module.after)))
            for path, module in self.modules.items()
        }

    def beside(self, colours: Mapping[str, int], side: str) -> dict[str, int]:
        """The colours with those of the neighbours on one side, where all are matched: next to an inserted module."""
        found = {}
        for path in self.free - self.anchors.keys():
            around: set[str] = getattr(self.modules[path], side)
            if around and all(other in self.anchors or other not in self.modules for other in around):
                found[path] = hash((colours[path], _around(colours, around)))
        return found


def _around(colours: Mapping[str, int], paths: Iterable[str]) -> Hashable:
    return tuple(sorted(colours.get(path, hash(path)) for path in paths))


def _unique_pairs(old: _Side, new: _Side) -> dict[str, str]:
    """The free modules that have a colour which no other module of their network has, by new path."""
    starts = colours = (old.start(), new.start())
    for _ in range(ROUNDS):
        colours = (old.next(colours[0]), new.next(colours[1]))
        if pairs := _same_colour(old, new, *colours):
            return pairs
    for side in () if old.by_place else ("before", "after"):
        if pairs := _same_colour(old, new, old.beside(starts[0], side), new.beside(starts[1], side)):
            return pairs
    return {}


def _same_colour(old: _Side, new: _Side, theirs: Mapping[str, int], ours: Mapping[str, int]) -> dict[str, str]:
    by_old, by_new = (
        _by_colour(side.free - side.anchors.keys(), colours) for side, colours in ((old, theirs), (new, ours))
    )
    pairs = ((paths, by_old.get(colour, [])) for colour, paths in by_new.items())
    return {paths[0]: old_paths[0] for paths, old_paths in pairs if len(paths) == len(old_paths) == 1}


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
