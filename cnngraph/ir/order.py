"""In which order the nodes of a scope are elaborated: the file's, except where a path points further down."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise

from cnngraph.document import Value, texts_in
from cnngraph.ir.environment import Env, ProblemError
from cnngraph.spec.expressions import ExpressionError, parse_expression
from cnngraph.spec.model import NodeSpec, ScopeSpec

MAX_CIRCLES = 20  # the nodes of further ones are unknown, and nothing is said of them
MAX_SHOWN = 10  # nodes of a circle

type_of_order = tuple[list[int], list[tuple[ProblemError, list[int]]]]


class Orders:
    """The order of each scope, worked out once for all the uses of a block."""

    def __init__(self) -> None:
        self._known: dict[int, type_of_order] = {}

    def of(self, scope: ScopeSpec, names: list[str], env: Env) -> type_of_order:
        """Indices in order of elaboration without those in circles, and the circles."""
        if scope.numbered:
            return list(range(len(names))), []
        known = self._known.get(id(scope))
        if known is None:
            known = _order(scope, names, env)
            if not any("$" in text for child in scope.children for text in _paths(child)):
                self._known[id(scope)] = known
        return known


def _order(scope: ScopeSpec, names: list[str], env: Env) -> type_of_order:
    index_of = {name: index for index, name in enumerate(names)}
    needs = [_needs(child, index, scope, index_of, env) for index, child in enumerate(scope.children)]
    if all(each < index for index, need in enumerate(needs) for each in need):
        return list(range(len(names))), []
    order: list[int] = []
    circles: list[tuple[ProblemError, list[int]]] = []
    done: set[int] = set()
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


def _sorted(needs: list[set[int]], done: set[int]) -> list[int]:
    """What can be elaborated, given what is done; the smallest index first. Adds it to `done`."""
    waiting = {index: len(need - done) for index, need in enumerate(needs) if index not in done}
    readers: dict[int, list[int]] = {}
    for index in waiting:
        for each in needs[index]:
            readers.setdefault(each, []).append(index)
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
    """Some circle among what is left, in order of reading."""
    seen: dict[int, int] = {}
    walk: list[int] = []
    index = start
    while index not in seen:
        seen[index] = len(walk)
        walk.append(index)
        index = min(each for each in needs[index] if each not in done)
    return walk[seen[index] :]


def _circle_problem(circle: list[int], names: list[str], scope: ScopeSpec) -> ProblemError:
    left_out = ["…"] if len(circle) > MAX_SHOWN else []
    first = min(circle)
    span = scope.children[first].span
    pairs = pairwise([*circle, circle[0]])
    notes = [f"{names[a]} reads {names[b]} at {scope.children[a].span}" for a, b in islice(pairs, MAX_SHOWN)]
    shown = " → ".join([*(names[each] for each in circle[:MAX_SHOWN]), *left_out, names[circle[0]]])
    message = f"the nodes read each other in a circle: {shown}" if len(circle) > 1 else f"{names[first]} reads itself"
    help = "a from that points further down must not come back; repeat: runs a block several times"
    return ProblemError("E315", message, span, notes=notes if len(circle) > 1 else (), help=help)


def _needs(child: NodeSpec, index: int, scope: ScopeSpec, index_of: dict[str, int], env: Env) -> set[int]:
    """The nodes that must be known before this one."""
    needs: set[int] = set()
    if child.reads is None and index:
        needs.add(index - 1)
    for text in _paths(child):
        needs |= _heads(text, index, scope, index_of, env)
    for text in _expression_paths(child):
        if text.partition(".")[0] not in env.params:
            needs |= _heads(text, index, scope, index_of, env, flat=False)
    return needs


def _heads(text: str, index: int, scope: ScopeSpec, index_of: dict[str, int], env: Env, flat: bool = True) -> set[int]:
    """The nodes that a path may begin with."""
    if "$" in text:
        stem = text.partition("$")[0]
        if not stem:
            return set(range(index))  # it may be anything: it reads upward
        exact = stem.partition(".")[0] if "." in stem else None
        return {
            each
            for name, each in index_of.items()
            if each != index and (name == exact if exact else name.startswith(stem))
        }
    parts = text.split(".")
    for length in range(1, len(parts) + 1):
        head = ".".join(parts[:length])
        if head in index_of:
            return {index_of[head]}
        if head in env.inputs:
            return set()
    return {each for each in range(index) if flat and scope.children[each].flat}


def _paths(child: NodeSpec) -> Iterator[str]:
    yield from (word.text for word in child.reads or ())
    yield from (word.text for word in child.otherwise or ())
    if child.share:
        yield child.share.text


def _expression_paths(child: NodeSpec) -> set[str]:
    """Every `$name.and.trail` in a node's own expressions."""
    values: list[Value] = [entry.value for entry in child.words]
    values += [each for each in (child.when, child.expect) if each is not None]
    if child.repeat is not None:
        values.append(child.repeat.count)
        values += [entry.value for entry in (*child.repeat.first, *child.repeat.last)]
    texts = [each for value in values for each in texts_in(value) if "$" in each]
    texts += [child.op.text] if child.op and "$" in child.op.text else []
    return {name for text in texts for name in _names(text)}


def _names(text: str) -> Iterable[str]:
    try:
        return [str(reference).removeprefix("$") for reference in parse_expression(text).references]
    except ExpressionError:
        return ()
