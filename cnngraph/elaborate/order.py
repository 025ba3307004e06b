"""The order in which the nodes of a scope are elaborated: file order, except where a node reads a later one."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Iterator
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise
from typing import Any, TypeAlias

from cnngraph.document import Listing, Table, Value, texts_in
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import BREAK_CYCLE, ProblemError, UnknownError
from cnngraph.elaborate.repeats import read_per_iteration
from cnngraph.frozen import frozen
from cnngraph.language.expressions.evaluate import ExpressionError, parse_expression, path_expressions
from cnngraph.language.expressions.values import count_steps
from cnngraph.language.model import Library, LocatedText, NodeSpec, ScopeSpec
from cnngraph.language.names import first_name, heads

MAX_CIRCLES = 20  # nodes of further cycles are unknown and not reported
MAX_SHOWN = 10  # nodes of a cycle in a message
MAX_ITERATIONS = 1_000  # of a repeat whose paths are expanded in advance

ReadsNothing: TypeAlias = "Callable[[NodeSpec, Library], bool]"
Order = tuple[list[int], list[tuple[ProblemError, list[int]]]]


class Orders:
    """The order of each scope, computed once for all uses of a block."""

    def __init__(self, reads_nothing: ReadsNothing) -> None:
        self._reads_nothing = reads_nothing
        self._known: dict[int, Order] = {}

    def of(self, scope: ScopeSpec, names: list[str], env: Env) -> Order:
        """Node indices in order of elaboration without those in cycles, and the cycles."""
        if scope.numbered:
            return list(range(len(names))), []
        known = self._known.get(id(scope))
        if known is None:
            known = _order(scope, names, env, self._reads_nothing)
            if not any("$" in text for child in scope.children for text in _texts(child)):
                self._known[id(scope)] = known
        return known


def _order(scope: ScopeSpec, names: list[str], env: Env, reads_nothing: ReadsNothing) -> Order:
    index_of = {name: index for index, name in enumerate(names) if name not in env.inputs}
    flat = [index for index, child in enumerate(scope.children) if child.flat]
    find = _Finder(scope, index_of, env, reads_nothing, flat)
    needs = [find.needs(child, index) for index, child in enumerate(scope.children)]
    possible = [find.possible(child, index) - needs[index] for index, child in enumerate(scope.children)]
    if all(need < index for index in range(len(names)) for need in needs[index] | possible[index]):
        return list(range(len(names))), []
    order: list[int] = []
    circles: list[tuple[ProblemError, list[int]]] = []
    done: set[int] = set()
    _add_harmless(needs, possible)
    while True:
        order += _sorted(needs, done)
        left = [index for index in range(len(names)) if index not in done]
        if not left:
            return order, circles
        circle = _circle(needs, left[0], done)
        problem = _circle_problem(circle, names, scope)
        if len(circles) == MAX_CIRCLES:
            circle = left
        circles.append((problem, circle))
        done.update(circle)


def _add_harmless(needs: list[set[int]], possible: list[set[int]]) -> None:
    """Add possible dependencies to the certain ones, except those that would close a cycle."""
    for index, others in enumerate(possible):
        if not others:
            continue
        behind = _readers(needs, index)
        needs[index] |= {other for other in others if other not in behind}


def _readers(needs: list[set[int]], start: int) -> set[int]:
    """The nodes that depend on this one, including itself."""
    readers: dict[int, list[int]] = {}
    for index, need in enumerate(needs):
        for needed in need:
            readers.setdefault(needed, []).append(index)
    found = {start}
    waiting = [start]
    while waiting:
        for reader in readers.get(waiting.pop(), ()):
            if reader not in found:
                found.add(reader)
                waiting.append(reader)
    count_steps(len(needs))
    return found


def _sorted(needs: list[set[int]], done: set[int]) -> list[int]:
    """The nodes that can be elaborated after those in `done`, smallest index first. Adds them to `done`."""
    waiting = {index: len(need - done) for index, need in enumerate(needs) if index not in done}
    readers: dict[int, list[int]] = {}
    for index in waiting:
        for needed in needs[index]:
            readers.setdefault(needed, []).append(index)
    ready = [index for index, count in waiting.items() if count == 0]
    heapify(ready)
    order = []
    while ready:
        index = heappop(ready)
        order.append(index)
        done.add(index)
        for reader in readers.get(index, ()):
            waiting[reader] -= 1
            if waiting[reader] == 0:
                heappush(ready, reader)
    return order


def _circle(needs: list[set[int]], start: int, done: set[int]) -> list[int]:
    """A cycle among the remaining nodes, in order of reading."""
    seen: dict[int, int] = {}
    walk: list[int] = []
    index = start
    while index not in seen:
        seen[index] = len(walk)
        walk.append(index)
        index = min(need for need in needs[index] if need not in done)
    return walk[seen[index] :]


def _circle_problem(circle: list[int], names: list[str], scope: ScopeSpec) -> ProblemError:
    left_out = ["…"] if len(circle) > MAX_SHOWN else []
    first = min(circle)
    span = scope.children[first].span
    pairs = pairwise([*circle, circle[0]])
    notes = [f"`{names[a]}` reads `{names[b]}` at {scope.children[a].span}" for a, b in islice(pairs, MAX_SHOWN)]
    shown = " → ".join([*(names[index] for index in circle[:MAX_SHOWN]), *left_out, names[circle[0]]])
    message = f"the nodes form a cycle: {shown}" if len(circle) > 1 else f"`{names[first]}` reads itself"
    return ProblemError("E315", message, span, notes=notes if len(circle) > 1 else (), help=BREAK_CYCLE)


@frozen
class _Finder:
    """Finds the nodes that a node reads, before any of them is elaborated."""

    scope: ScopeSpec
    index_of: dict[str, int]
    env: Env
    reads_nothing: ReadsNothing
    flat: list[int]  # the indices of the flat nodes, ascending

    def needs(self, child: NodeSpec, index: int) -> set[int]:
        """The nodes that this one certainly depends on."""
        needs = (
            {index - 1} if child.reads is None and index and not self.reads_nothing(child, self.env.library) else set()
        )
        for path, repeated in _paths(child):
            texts = self.expanded(path, child if repeated else None)
            stem = path.text.partition("$")[0]
            if texts is not None:
                needs = needs.union(*(self.heads(text, index) for text in texts))
            elif (first := first_name(stem)) != stem:
                needs |= self.heads(first, index)
        for name in _names_of(child, certain=True):
            needs |= self.named(name, index)
        return needs

    def possible(self, child: NodeSpec, index: int) -> set[int]:
        """The nodes that this one may depend on: in an `else`, or in a branch of an expression."""
        found: set[int] = set()
        for path, repeated in _other_paths(child):
            texts = self.expanded(path, child if repeated else None)
            found = found.union(*(self.heads(text, index) for text in texts or ()))
        for path, repeated in (*_paths(child), *_other_paths(child)):
            if self.expanded(path, child if repeated else None) is None:
                found |= self.guessed(path.text, index)
                found = found.union(*(self.named(name, index) for name in _names_in_path(path.text)))
        for name in _names_of(child, certain=False):
            found |= self.named(name, index)
        return found

    def expanded(self, path: LocatedText, repeated: NodeSpec | None) -> list[str] | None:
        """The paths that `path` expands to; None if they are not known yet.

        `repeated` is the node in whose iterations it is read, each with its own `$i`; None for one that is read once.
        """
        if "$" not in path.text:
            return [path.text]
        try:
            if repeated is None:
                return [self.env.text(path)]
            items = self.items(repeated)
            if items is None:
                return None
            count_steps(len(items))
            return [self.env.iteration(number, item, None).text(path) for number, item in enumerate(items)]
        except (ProblemError, UnknownError):
            return None

    def items(self, child: NodeSpec) -> list[Any] | None:
        """The values of `$item`; None if not even their number is known yet."""
        assert child.repeat is not None
        count = child.repeat.count
        try:
            items = self.env.watched(count, always=True)[0]
        except (ProblemError, UnknownError):
            if not isinstance(count, Listing):
                raise
            items = len(count.items)  # a row may read the size of a later node
        items = [None] * items if type(items) is int else items
        return list(items) if isinstance(items, list | tuple) and len(items) <= MAX_ITERATIONS else None

    def named(self, name: str, index: int) -> set[int]:
        """The node that a `$name.and.trail` refers to."""
        return set() if name.partition(".")[0] in self.env.params else self.heads(name, index, flat=False)

    def heads(self, text: str, index: int, flat: bool = True) -> set[int]:
        """The nodes that a path may refer to."""
        flat_above = self.flat[: bisect_left(self.flat, index)] if flat else []
        for head in heads(text):
            found = self.index_of.get(head)
            if found is not None and not (found == index and flat_above):  # a flat node may contain one of this name
                return {found}
            if head in self.env.inputs:
                return set()
        count_steps(len(flat_above))
        return set(flat_above)

    def guessed(self, text: str, index: int) -> set[int]:
        """The nodes that a path with an unknown `$` may refer to."""
        count_steps(len(self.index_of))
        stem = text.partition("$")[0]
        if not stem:
            return set(range(index))  # any node above
        return {item for name, item in self.index_of.items() if item != index and name.startswith(stem)}


def _paths(child: NodeSpec) -> Iterator[tuple[LocatedText, bool]]:
    """The paths that a node reads, and whether each of its iterations does."""
    varying = read_per_iteration(child)
    yield from ((path, path in varying) for path in child.reads or ())
    if child.share:
        yield child.share, child.repeat is not None


def _other_paths(child: NodeSpec) -> Iterator[tuple[LocatedText, bool]]:
    """The paths that are read only where the node, or an iteration of it, is absent."""
    yield from ((path, False) for path in child.otherwise or ())
    if child.repeat is not None:
        rows = child.repeat.count.items if isinstance(child.repeat.count, Listing) else ()
        entries = [entry for row in rows if isinstance(row, Table) for entry in row]
        for entry in (*entries, *child.repeat.first, *child.repeat.last):
            if entry.key == "else":
                yield from ((LocatedText(text, entry.value.span), True) for text in texts_in(entry.value))


def _texts(child: NodeSpec) -> Iterator[str]:
    """The texts of a node that decide what it is called and what it reads."""
    yield child.name.text
    yield from (path.text for path, _ in (*_paths(child), *_other_paths(child)))


def _names_of(child: NodeSpec, certain: bool) -> set[str]:
    """Every `$name.and.trail` in a node's own expressions: those that are always evaluated, or the others.

    A node with `when` always evaluates only that; `first` and `last` are evaluated in one iteration only.
    """
    always: list[Value] = [child.when] if child.when is not None else []
    sometimes: list[Value] = []
    (always if child.when is None else sometimes).extend(entry.value for entry in child.arguments)
    if child.expect is not None:
        (always if child.when is None else sometimes).append(child.expect)
    if child.repeat is not None:
        count, *others = child.repeat.values
        (always if child.when is None else sometimes).append(count)
        sometimes += others
    texts = [(text, True) for value in always for text in texts_in(value) if "$" in text]
    texts += [(text, False) for value in sometimes for text in texts_in(value) if "$" in text]
    texts += [(child.op.text, child.when is None)] if child.op and "$" in child.op.text else []
    found: set[str] = set()
    for text, computed in texts:
        every, sure = _names(text)
        found |= (sure if certain else every - sure) if computed else (set() if certain else every)
    return found


@lru_cache(maxsize=4096)
def _names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """All names in an expression, and those that every evaluation looks up."""
    try:
        parsed = parse_expression(text)
    except ExpressionError:
        return frozenset(), frozenset()
    sure = frozenset(str(reference).removeprefix("$") for reference in parsed.certain_references)
    return frozenset(str(reference).removeprefix("$") for reference in parsed.references), sure


def _names_in_path(text: str) -> frozenset[str]:
    """The names in the expressions of a path."""
    try:
        return frozenset(name for expression in path_expressions(text) for name in _names(expression.text)[0])
    except ExpressionError:
        return frozenset()
