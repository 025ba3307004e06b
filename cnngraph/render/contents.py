"""The contents of a closed block in one line or two: `1×1 64 – 3×3 64, /2 – 1×1 256`."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import groupby, pairwise

from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref
from cnngraph.render.label import brief_label
from cnngraph.render.traits import is_gate
from cnngraph.render.tree import Group, Tree, iterations_of, nodes_of

MAX_LINE = 42  # characters of a line
MAX_HALF, MAX_BRANCHES = 36, 44  # characters of each of two lines, and if they are broken between branches
MAX_VISITS = 300  # of nodes; a block that needs more is too complex
MAX_OUTLINE = 48  # characters of a line that names blocks
REPEATED = 3  # equal steps in a row are counted from this number on
SERIES, PARALLEL, GATE = " – ", " | ", "gate"
OUTSIDE = -1  # all tensors from outside of the block
PLAIN = frozenset({"norm", "activation", "dropout", "arithmetic", "reshape", "merge", "reduction"})  # kinds left out
PROJECTION = re.compile(r"1×1 \d+|(avg|max|blur|pad)\b.*")
CHANNELS = re.compile(r"(×\d+) [\d…]+(?=,|$)")  # after a kernel
NUMBER = re.compile(r"(?<![×\d])\d+(?![×\d])")  # without sizes


@frozen
class _Step:
    """An operation, parallel branches, or the iterations of an inner repeat.

    `stride` is apart because often only the first of several iterations has one.
    """

    text: str = ""
    stride: str = ""
    branches: tuple[tuple[_Step, ...], ...] = ()
    times: int = 1
    node: int = OUTSIDE
    is_block: bool = False


_Series = tuple[_Step, ...]


class _UnclearError(Exception):
    """A block whose contents cannot be told in a line."""


def contents_lines(group: Group, tree: Tree) -> list[str]:
    """The convolutions and other layers of a block, or of each iteration of a repeat; nothing if that is too long.

    The shortcut of a residual block is left out, even if it has a projection. A map that is multiplied by weights
    computed from it has a `gate`.
    """
    try:
        series = _series_of(group, tree)
    except _UnclearError:
        return []
    return [] if all(step.text == GATE for step in series) else _lines(_text(series))


def branches_lines(group: Group, tree: Tree) -> list[str]:
    """The layers of a block of parallel branches that are too long with all channels; nothing if still too long.

    Only the last layer of each branch has its channels, or none.
    """
    try:
        series = _series_of(group, tree)
    except _UnclearError:
        return []
    if not any(step.branches and step.times == 1 for step in series):
        return []
    choices = _without_channels(series, keeps_last=True), _without_channels(series)
    return next((lines for choice in choices if (lines := _lines(_text(choice)))), [])


def _without_channels(series: _Series, *, keeps_last: bool = False) -> _Series:
    """The steps with kernels only, or with the channels of the last one, or of each of the branches that it has."""
    kept = len(series) - 1 if keeps_last else OUTSIDE
    return tuple(
        replace(
            step,
            text=step.text if place == kept else CHANNELS.sub(r"\1", step.text),
            branches=tuple(_without_channels(branch, keeps_last=place == kept) for branch in step.branches),
        )
        for place, step in enumerate(series)
    )


def outline(group: Group, tree: Tree) -> str:
    """The layers of a block in a line, with the names of complex blocks inside; nothing if that is too long."""
    try:
        series = _series_of(group, tree, names_blocks=True)
    except _UnclearError:
        return ""
    text, has_layers = _text(series), any(not step.is_block and step.text != GATE for step in series)
    return text if has_layers and len(text) <= MAX_OUTLINE else ""


def _series_of(group: Group, tree: Tree, *, is_inner: bool = False, names_blocks: bool = False) -> _Series:
    """The steps of a group, of which the box already has the number of iterations unless it `is_inner`."""
    units = iterations_of(group, tree)
    if units and (group.scope.kind == "repeat" or (len(group.members) == 1 and isinstance(units[0], Group))):
        series = _merged([_series_of_unit(unit, tree, names_blocks) for unit in units])
        times = sum(unit.times if isinstance(unit, Group) else 1 for unit in units)
        return (_Step(branches=(series,), times=times),) if times > 1 and is_inner else series
    inner = (member for member in group.members if isinstance(member, Group) and member.scope.block)
    blocks = [block for block in inner if names_blocks and len(contents_lines(block, tree)) != 1]
    return _Contents(group, tree, blocks).series()


def _series_of_unit(unit: Group | int, tree: Tree, names_blocks: bool) -> _Series:
    if isinstance(unit, int):
        return _step(unit, tree)
    return _series_of(unit, tree, is_inner=True, names_blocks=names_blocks)


def _step(index: int, tree: Tree) -> _Series:
    """The step of an operation; none if it only follows others."""
    node = tree.graph.nodes[index]
    if node.op == "gate":
        return (_Step(GATE, node=index),)
    if node.operation.kind in PLAIN:
        return ()
    if node.operation.kind == "attention":
        raise _UnclearError
    text, stride = brief_label(node.operation, tuple(map(tree.graph.type_of, node.reads)))
    return (_Step(text, stride, node=index),)


def _merged(iterations: Sequence[_Series]) -> _Series:
    """What represents all iterations: different numbers become ranges, and a stride of the first one is marked."""
    if len(set(map(len, iterations))) > 1:
        raise _UnclearError
    return tuple(map(_common, zip(*iterations, strict=True)))


def _common(steps: Sequence[_Step]) -> _Step:
    first, *others = steps
    strides = {step.stride for step in others} or {first.stride}
    if len({(NUMBER.sub("", step.text), len(step.branches), step.times) for step in steps}) > 1:
        raise _UnclearError
    if strides == {first.stride}:
        stride = first.stride
    elif strides == {""}:
        stride = f"first {first.stride}"
    else:
        raise _UnclearError
    branches = tuple(map(_merged, zip(*(step.branches for step in steps), strict=True)))
    return replace(first, text=_ranges([step.text for step in steps]), stride=stride, branches=branches)


def _ranges(texts: Sequence[str]) -> str:
    """Texts that differ in numbers as one: `1×1 24…48`."""
    columns = iter(list(zip(*(map(int, NUMBER.findall(text)) for text in texts), strict=True)))
    return NUMBER.sub(lambda _: _range(next(columns)), texts[0])


def _range(numbers: Sequence[int]) -> str:
    if len(set(numbers)) == 1:
        return str(numbers[0])
    falls = all(one >= two for one, two in pairwise(numbers))
    return f"{max(numbers)}…{min(numbers)}" if falls else f"{min(numbers)}…{max(numbers)}"


def _text(series: _Series) -> str:
    parts = []
    for text, steps in groupby(series, lambda step: _step_text(step, alone=len(series) == 1)):
        count = len(list(steps))
        if text == GATE and count > 1:
            parts += [f"{count} {GATE}s"]
        else:
            parts += [f"({text}) ×{count}"] if count >= REPEATED else [text] * count
    return SERIES.join(parts)


def _step_text(step: _Step, *, alone: bool) -> str:
    if step.branches:
        text = PARALLEL.join(map(_text, step.branches))
        return f"({text}) ×{step.times}" if step.times > 1 else text if alone else f"({text})"
    return ", ".join(filter(None, (step.text, step.stride)))


def _lines(text: str) -> list[str]:
    """The text in as few lines as possible, of about the same length; nothing if it is too long."""
    if not text:
        return []
    if len(text) <= MAX_LINE:
        return [text]
    for separator, most in ((PARALLEL, MAX_BRANCHES), (SERIES, MAX_HALF)):
        split = [[text[: place + 2], text[place + 3 :]] for place in _places(text, separator)]
        split = [lines for lines in split if max(map(len, lines)) <= most]
        if split:
            return min(split, key=lambda lines: max(map(len, lines)))
    return []


def _places(text: str, separator: str) -> Iterator[int]:
    """Where a separator is in a text, outside of parentheses."""
    for found in re.finditer(re.escape(separator), text):
        before = text[: found.start()]
        if before.count("(") == before.count(")"):
            yield found.start()


class _Contents:
    """The operations between the input of a group and its output, by the dominators of its nodes.

    `blocks` are groups inside of which each is one step.
    """

    def __init__(self, group: Group, tree: Tree, blocks: Sequence[Group]) -> None:
        self.tree, self.value = tree, group.scope.value
        self.before: dict[int, list[int]] = {}
        self.readers: dict[int, list[int]] = {}
        self.dominator: dict[int, int] = {}
        self.depth = {OUTSIDE: 0}
        self.constant: set[int] = set()  # nodes that compute the same for every input
        self.visits = self.dense = 0  # the latter: joins of tensors of which one is computed from another
        self.steps: dict[int, _Step] = {}  # of blocks, by the node that computes their value
        hidden: dict[int, int] = {}  # the nodes inside of blocks, and that of the value
        for block in blocks:
            value = _value(block)
            name = (block.scope.block or "").replace("_", " ")
            self.steps[value] = _Step(name, _reduction(block, tree), node=value, is_block=True)
            hidden |= dict.fromkeys(nodes_of(block), value)
        reads: dict[int, list[Ref]] = {}
        for node in nodes_of(group):
            refs = [ref for ref in tree.reads[node] if node not in hidden or hidden.get(ref.node) != hidden[node]]
            reads.setdefault(hidden.get(node, node), []).extend(refs)
        for node in sorted(reads):
            self._add(node, [ref._replace(node=hidden.get(ref.node, ref.node)) for ref in reads[node]])

    def _add(self, node: int, refs: Sequence[Ref]) -> None:
        self.before[node] = [ref.node if ref.node in self.before else OUTSIDE for ref in refs] or [OUTSIDE]
        for before in self.before[node]:
            self.readers.setdefault(before, []).append(node)
        if all(ref.node in self.constant for ref in refs):
            self.constant.add(node)
        above = self.before[node][0]
        for other in self.before[node][1:]:
            above = self._meet(above, other)
        self.dominator[node], self.depth[node] = above, self.depth[above] + 1

    def _meet(self, one: int, two: int) -> int:
        while one != two:
            if self.depth[one] < self.depth[two]:
                one, two = two, one
            one = self.dominator[one]
        return one

    def series(self) -> _Series:
        if len(self.value) != 1 or self.value[0].node not in self.before:
            raise _UnclearError
        return self._between(OUTSIDE, self.value[0].node)

    def _between(self, start: int, node: int) -> _Series:
        """What is computed from one node to another, without the first one."""
        found: list[_Step] = []
        while node != start:
            self.visits += 1
            if self.visits > MAX_VISITS:
                raise _UnclearError
            above = self.dominator[node]
            found += [self.steps[node]] if node in self.steps else reversed(_step(node, self.tree))
            if set(self.before[node]) != {above}:
                found += reversed(self._join(node, above))
            node = above
        return tuple(reversed(found))

    def _join(self, index: int, above: int) -> _Series:
        """The branches from a node to one that reads several of them, or the main one of these."""
        node = self.tree.graph.nodes[index]
        if node.op == "mul" and (main := self._gated(index, node, above)):
            return main
        branches = list(dict.fromkeys(self._between(above, before) for before in self.before[index]))
        parts = [branch for branch in branches if branch and any(_continues(other, branch) for other in branches)]
        branches = [branch for branch in branches if branch and branch not in parts]
        self.dense += bool(parts)
        if self.dense > 1:
            raise _UnclearError
        if not branches:
            return ()
        main = max(branches, key=len)
        others = [branch for branch in branches if branch is not main]
        if not others or (node.op == "add" and len(main) > 1 and all(map(_is_projection, others))):
            return main
        return (_Step(branches=tuple(branches), node=index),)

    def _gated(self, index: int, node: Node, above: int) -> _Series:
        """The branch to a gate, and the gate; or that to a product with constants."""
        (out,) = node.types
        sizes = [self.tree.graph.type_of(ref).count for ref in node.reads]
        factors = list(zip(self.before[index], sizes, strict=True))
        large = {before for before, size in factors if size == out.count}
        small = [before for before, size in factors if size != out.count and before != OUTSIDE]
        if not small and above in large:
            large = {above}
        elif not small or len(large) != 1:
            return ()
        is_scaled = small and self.constant.issuperset(small)
        if not is_scaled and (not is_gate(node, self.tree.graph) or self._is_shared(index, small, above)):
            raise _UnclearError
        return (*self._between(above, large.pop()), *([] if is_scaled else [_Step(GATE, node=index)]))

    def _is_shared(self, gate: int, factors: Sequence[int], above: int) -> bool:
        """Whether something else reads what is computed for the factors of a gate, which the word `gate` stands for."""
        inside, waiting = {gate}, list(factors)
        while waiting:
            node = waiting.pop()
            if node not in inside and node not in (above, OUTSIDE):
                inside.add(node)
                waiting += self.before[node]
        return any(reader not in inside for node in inside - {gate} for reader in self.readers.get(node, ()))


def _value(block: Group) -> int:
    """The node that computes the value of a block."""
    if len(block.scope.value) != 1 or block.scope.value[0].node not in nodes_of(block):
        raise _UnclearError
    return block.scope.value[0].node


def _reduction(block: Group, tree: Tree) -> str:
    """`/2` for a block whose output is half as high as its input."""
    nodes = set(nodes_of(block))
    reads = (tree.graph.type_of(ref) for node in nodes for ref in tree.reads[node] if ref.node not in nodes)
    before = next((type_.height for type_ in reads if type_.height), 1)
    after = tree.graph.type_of(block.scope.value[0]).height or before
    return f"/{before // after}" if before > after and before % after == 0 else ""


def _continues(longer: _Series, branch: _Series) -> bool:
    """Whether a branch is the beginning of another one, of which an inner tensor is used, too."""
    return len(longer) > len(branch) and longer[: len(branch)] == branch


def _is_projection(branch: _Series) -> bool:
    return all(PROJECTION.fullmatch(step.text) for step in branch)
