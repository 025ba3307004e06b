"""In which order the nodes of a scope are elaborated: the file's, except where a path points further down."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache
from heapq import heapify, heappop, heappush
from itertools import islice, pairwise
from typing import TypeAlias

from cnngraph.document import Listing, Table, Value, texts_in
from cnngraph.elaborate.lookup import Env
from cnngraph.elaborate.messages import ProblemError, UnknownError
from cnngraph.language.expressions.evaluate import ExpressionError, parse_expression
from cnngraph.language.expressions.values import spend
from cnngraph.language.model import Library, NodeSpec, ScopeSpec, Word
from cnngraph.language.names import heads

MAX_CIRCLES = 20  # the nodes of further ones are unknown, and nothing is said of them
MAX_SHOWN = 10  # nodes of a circle
MAX_ITERATIONS = 1_000  # of a repeat whose paths are written out beforehand
IN_PATH = re.compile(r"\$\{([^}]*)\}")

ReadsNothing: TypeAlias = "Callable[[NodeSpec, Library], bool]"
type_of_order = tuple[list[int], list[tuple[ProblemError, list[int]]]]


class Orders:
    """The order of each scope, worked out once for all the uses of a block."""

    def __init__(self, reads_nothing: ReadsNothing) -> None:
        self._reads_nothing = reads_nothing
        self._known: dict[int, type_of_order] = {}

    def of(self, scope: ScopeSpec, names: list[str], env: Env) -> type_of_order:
        """Indices in order of elaboration without those in circles, and the circles."""
        if scope.numbered:
            return list(range(len(names))), []
        known = self._known.get(id(scope))
        if known is None:
            known = _order(scope, names, env, self._reads_nothing)
            if not any("$" in word.text for child in scope.children for word in (*_paths(child), *_other_paths(child))):
                self._known[id(scope)] = known
        return known


def _order(scope: ScopeSpec, names: list[str], env: Env, reads_nothing: ReadsNothing) -> type_of_order:
    index_of = {name: index for index, name in enumerate(names) if name not in env.inputs}
    find = _Finder(scope, index_of, env, reads_nothing)
    needs = [find.needs(child, index) for index, child in enumerate(scope.children)]
    perhaps = [find.perhaps(child, index) - needs[index] for index, child in enumerate(scope.children)]
    if all(each < index for index in range(len(names)) for each in needs[index] | perhaps[index]):
        return list(range(len(names))), []
    order: list[int] = []
    circles: list[tuple[ProblemError, list[int]]] = []
    done: set[int] = set()
    _add_harmless(needs, perhaps)
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


def _add_harmless(needs: list[set[int]], perhaps: list[set[int]]) -> None:
    """Add what each node may need to what it needs, unless that closes a circle: then it cannot be needed."""
    for index, others in enumerate(perhaps):
        if not others:
            continue
        behind = _readers(needs, index)
        needs[index] |= {each for each in others if each not in behind}


def _readers(needs: list[set[int]], start: int) -> set[int]:
    """The nodes that cannot be known before this one, itself among them."""
    readers: dict[int, list[int]] = {}
    for index, need in enumerate(needs):
        for each in need:
            readers.setdefault(each, []).append(index)
    found = {start}
    waiting = [start]
    while waiting:
        for each in readers.get(waiting.pop(), ()):
            if each not in found:
                found.add(each)
                waiting.append(each)
    spend(len(needs))
    return found


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
    notes = [f"`{names[a]}` reads `{names[b]}` at {scope.children[a].span}" for a, b in islice(pairs, MAX_SHOWN)]
    shown = " → ".join([*(names[each] for each in circle[:MAX_SHOWN]), *left_out, names[circle[0]]])
    message = f"the nodes form a cycle: {shown}" if len(circle) > 1 else f"`{names[first]}` reads itself"
    help = "break the cycle by changing one `from`; to run a block several times, use `repeat`"
    return ProblemError("E315", message, span, notes=notes if len(circle) > 1 else (), help=help)


@dataclass(frozen=True, slots=True)
class _Finder:
    """Finds the nodes that a node reads, before any of them is elaborated."""

    scope: ScopeSpec
    index_of: dict[str, int]
    env: Env
    reads_nothing: ReadsNothing

    def needs(self, child: NodeSpec, index: int) -> set[int]:
        """The nodes that must be known before this one."""
        needs = (
            {index - 1} if child.reads is None and index and not self.reads_nothing(child, self.env.library) else set()
        )
        for word in _paths(child):
            texts = self.written_out(word, child)
            if texts is not None:
                needs = needs.union(*(self.heads(text, index) for text in texts))
            elif "." in word.text.partition("$")[0]:
                needs |= self.heads(word.text.partition("$")[0].partition(".")[0], index)
        for name in _names_of(child, certain=True):
            needs |= self.named(name, index)
        return needs

    def perhaps(self, child: NodeSpec, index: int) -> set[int]:
        """The nodes that this one may read: by an `else`, in a part of an expression that may not be computed."""
        found: set[int] = set()
        for word in _other_paths(child):
            texts = self.written_out(word, child)
            found = found.union(*(self.heads(text, index) for text in texts or ()))
        for word in (*_paths(child), *_other_paths(child)):
            if self.written_out(word, child) is None:
                found |= self.guessed(word.text, index)
                found = found.union(*(self.named(name, index) for name in _names_in_path(word.text)))
        for name in _names_of(child, certain=False):
            found |= self.named(name, index)
        return found

    def written_out(self, word: Word, child: NodeSpec) -> list[str] | None:
        """The paths that a word stands for, one for each iteration; None where that is not known yet."""
        if "$" not in word.text:
            return [word.text]
        try:
            return [self.env.text(word)]
        except (ProblemError, UnknownError):
            pass
        if child.repeat is None:
            return None
        try:
            items = self.env.watched(child.repeat.count, always=True)[0]
            items = [None] * items if type(items) is int else items
            if not isinstance(items, list | tuple) or len(items) > MAX_ITERATIONS:
                return None
            spend(len(items))
            return [self.env.round(number, item, None).text(word) for number, item in enumerate(items)]
        except (ProblemError, UnknownError):
            return None

    def named(self, name: str, index: int) -> set[int]:
        """The node that an expression's `$name.and.trail` asks for."""
        return set() if name.partition(".")[0] in self.env.params else self.heads(name, index, flat=False)

    def heads(self, text: str, index: int, flat: bool = True) -> set[int]:
        """The nodes that a path may begin with."""
        for head in heads(text):
            if head in self.index_of:
                return {self.index_of[head]}
            if head in self.env.inputs:
                return set()
        return {each for each in range(index) if flat and self.scope.children[each].flat}

    def guessed(self, text: str, index: int) -> set[int]:
        """The nodes that a path may begin with whose `$` is not known yet."""
        stem = text.partition("$")[0]
        if not stem:
            return set(range(index))  # it may be anything: it reads upward
        return {each for name, each in self.index_of.items() if each != index and name.startswith(stem)}


def _paths(child: NodeSpec) -> Iterator[Word]:
    yield from child.reads or ()
    if child.share:
        yield child.share


def _other_paths(child: NodeSpec) -> Iterator[Word]:
    """The paths that are read only where the node, or an iteration of it, is absent."""
    yield from child.otherwise or ()
    if child.repeat is not None:
        rows = child.repeat.count.items if isinstance(child.repeat.count, Listing) else ()
        entries = [entry for row in rows if isinstance(row, Table) for entry in row]
        for entry in (*entries, *child.repeat.first, *child.repeat.last):
            if entry.key == "else":
                yield from (Word(text, entry.value.span) for text in texts_in(entry.value))


def _names_of(child: NodeSpec, certain: bool) -> set[str]:
    """Every `$name.and.trail` in a node's own expressions: those that are always computed, or the others.

    A node that may be absent always computes its `when` alone; `first` and `last` are computed in one iteration only.
    """
    always: list[Value] = [child.when] if child.when is not None else []
    sometimes: list[Value] = []
    (always if child.when is None else sometimes).extend(entry.value for entry in child.words)
    if child.expect is not None:
        (always if child.when is None else sometimes).append(child.expect)
    if child.repeat is not None:
        (always if child.when is None else sometimes).append(child.repeat.count)
        sometimes += [entry.value for entry in (*child.repeat.first, *child.repeat.last)]
    texts = [(each, True) for value in always for each in texts_in(value) if "$" in each]
    texts += [(each, False) for value in sometimes for each in texts_in(value) if "$" in each]
    texts += [(child.op.text, child.when is None)] if child.op and "$" in child.op.text else []
    found: set[str] = set()
    for text, computed in texts:
        every, sure = _names(text)
        found |= (sure if certain else every - sure) if computed else (set() if certain else every)
    return found


@lru_cache(maxsize=4096)
def _names(text: str) -> tuple[frozenset[str], frozenset[str]]:
    """Every name in an expression, and those that are asked for whatever the others are."""
    try:
        parsed = parse_expression(text)
    except ExpressionError:
        return frozenset(), frozenset()
    sure = frozenset(str(each).removeprefix("$") for each in parsed.certain_references)
    return frozenset(str(each).removeprefix("$") for each in parsed.references), sure


def _names_in_path(text: str) -> frozenset[str]:
    """The names in the `${…}` of a path."""
    return frozenset(name for inner in IN_PATH.findall(text) for name in _names(inner)[0])
