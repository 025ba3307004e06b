"""Possible causes of an error: the nodes that produced the tensors an op rejects, and what they changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

from cnngraph.diagnostics import Cause
from cnngraph.elaborate.values import Argument, Reads
from cnngraph.fields import show_value
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref
from cnngraph.language.names import tensor_path
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks

LONGEST_CHAIN = 12  # nodes that are examined upstream of an input
MOST_SUSPECTS = 40  # tensors upstream of a rejected op, whose nodes may hold the fix
MOST_NAMED, PER_ROW = 12, 4  # tensors in the notes of an error, and on each line
CHANNELS_DIFFER, SIZES_DIFFER, WINDOW_TOO_LARGE = "E202", "E203", "E204"
SIZE_PARAMETERS = ("stride", "kernel", "padding", "dilation", "ceil_mode", "scale_factor", "size")


Aspect: TypeAlias = Callable[[TensorType], Hashable]  # channels_of or sizes_of


@frozen(slots=False)
class Trace:
    """Walks from an op back through the nodes created so far."""

    nodes: list[Node]
    arguments: Mapping[int, Mapping[str, Argument]]
    type_of: Callable[[Ref], TensorType]
    readers: Counter[int]  # how many nodes read each node

    def causes(
        self,
        refs: tuple[Ref, ...],
        channels: object = None,
        code: str = "",
        arguments: Mapping[str, Argument] | None = None,
    ) -> tuple[Cause, ...]:
        """The parameters of the node itself, then the upstream nodes and their parameters, nearest first.

        `channels` is the number that is needed, if known.
        """
        try:
            needed = channels if type(channels) is int else None
            own = tuple(origins(arguments or {}))
            if code == WINDOW_TOO_LARGE and sizes_of(self.type_of(refs[0])) == (1, 1):
                own = tuple(replace(cause, values=("1",)) if cause.key == "kernel" else cause for cause in own)
            return (*own, *self.suspects(self.differing_first(code, refs), needed))
        except Exception:  # the error is right even if the search for causes fails
            return ()

    def differing_first(self, code: str, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """The inputs, with those that differ from most others first."""
        aspect: Aspect = channels_of if code == CHANNELS_DIFFER else sizes_of
        counts = Counter(aspect(self.type_of(ref)) for ref in refs)
        return tuple(sorted(refs, key=lambda ref: counts[aspect(self.type_of(ref))]))

    def suspects(self, refs: tuple[Ref, ...], channels: int | None) -> Iterator[Cause]:
        """The upstream nodes and their parameters, breadth first."""
        have = [self.type_of(ref).channels for ref in refs if self.type_of(ref).batched]
        needed = [channels] if channels is not None else have
        changes = {want - count for want in needed for count in have} - {0}
        seen, waiting = set(refs), list(refs)
        while waiting and len(seen) < MOST_SUSPECTS:
            ref = waiting.pop(0)
            if ref.node < 0:
                continue
            node = self.nodes[ref.node]
            yield Cause(node.span)
            yield from origins(self.arguments[ref.node], needed, changes)
            waiting += [read for read in dict.fromkeys(node.reads) if read not in seen]
            seen.update(node.reads)

    def facts(self, reads: Reads) -> tuple[str, ...]:
        """Notes: each input with its shape; for a single input, where it comes from."""
        named = list(self.named(reads))
        if len(named) == 1:
            name, ref = named[0]
            return (f"reads `{name}` {self.type_of(ref)}, {self.producer(ref)}",)
        return tuple(" · ".join(f"`{name}` {self.type_of(ref)}" for name, ref in row) for row in in_rows(named))

    def history(self, ref: Ref) -> tuple[str, ...]:
        """A note on what produced a tensor."""
        verb = "is" if ref.node < 0 else "comes"
        return (f"{self.type_of(ref)} {verb} {self.producer(ref)}",)

    def producer(self, ref: Ref) -> str:
        """`from max_pool at spec.yaml:12`."""
        if ref.node < 0:
            return "the network's input"
        node = self.nodes[ref.node]
        return f"from `{node.op}` at {node.span}"

    def named(self, reads: Reads) -> Iterator[tuple[str, Ref]]:
        """Each tensor with the name that the spec uses for it."""
        for value, name in zip(reads.values, reads.names, strict=True):
            for number, ref in enumerate(value.refs):
                yield (tensor_path(name, number) if len(value.refs) > 1 else name), ref

    def shrinking(self, ref: Ref) -> tuple[str, ...]:
        """A note on how a map shrinks: `30×30 conv1 → 7×7 pool1 → 3×3 conv2`."""
        steps: list[str] = []
        while ref.node >= 0 and len(steps) < LONGEST_CHAIN:
            node = self.nodes[ref.node]
            if not node.reads:
                break
            before = self.type_of(node.reads[0])
            if sizes_of(before) != sizes_of(self.type_of(ref)):
                steps.append(f"{map_of(self.type_of(ref))} {node.path}")
            ref = node.reads[0]
        steps.append(f"{map_of(self.type_of(ref))} {'in' if ref.node < 0 else self.nodes[ref.node].path}")
        return (f"the map shrinks: {' → '.join(reversed(steps))}",) if len(steps) > 2 else ()

    def cause(self, ref: Ref, aspect: Aspect) -> str | None:
        """The nearest upstream node that changed an aspect of a tensor, with the parameters that did."""
        for index in self.chain(ref, through_forks=True):
            node = self.nodes[index]
            before = self.type_of(node.reads[0]) if node.reads else None
            if before is None or aspect(before) != aspect(node.types[0]):
                return f"`{node.op}`{self.aspect_parameters(index, aspect)} at {node.span}"
        return None

    def aspect_parameters(self, index: int, aspect: Aspect) -> str:
        """The parameters of a node that determine the aspect."""
        arguments = self.arguments[index]
        names = ("out",) if aspect is channels_of else SIZE_PARAMETERS
        texts = [f"{name}: {show_value(arguments[name].value)}" for name in names if name in arguments]
        if aspect is sizes_of and "stride" in arguments and arguments["stride"].value != 1:
            texts = texts[:1]
        return f" ({in_backticks(texts)})" if texts else ""

    def chain(self, ref: Ref, through_forks: bool = False) -> list[int]:
        """The upstream nodes, nearest first, as long as each has one input; stops at forks unless `through_forks`."""
        found: list[int] = []
        while ref.node >= 0 and len(found) < LONGEST_CHAIN:
            node = self.nodes[ref.node]
            if found and self.readers[ref.node] > 1 and not through_forks:
                break
            found.append(ref.node)
            if len(node.reads) != 1 or node.is_list:
                break
            ref = node.reads[0]
        return found

    def behind(self, ref: Ref) -> set[Ref]:
        """The upstream tensors, through a few nodes."""
        found: set[Ref] = set()
        waiting = [ref]
        while waiting and len(found) < 20 * LONGEST_CHAIN:
            tensor = waiting.pop(0)
            reads = self.nodes[tensor.node].reads if tensor.node >= 0 else ()
            waiting += [read for read in reads if read not in found]
            found.update(reads)
        return found


def origins(
    arguments: Mapping[str, Argument], needed: Iterable[int] = (), changes: Iterable[int] = ()
) -> Iterator[Cause]:
    """Where a node's parameters were first written; for `out`, with the values that would fit."""
    for key, argument in arguments.items():
        values: list[int] = []
        if key == "out" and type(argument.value) is int:
            values = [*needed, *(argument.value + change for change in sorted(changes, key=abs))]
        yield Cause(
            argument.origin, key, tuple(dict.fromkeys(str(value) for value in values if 0 < value != argument.value))
        )


def channels_of(type_: TensorType) -> int:
    """The aspect of tensors that E202 compares."""
    return type_.channels


def sizes_of(type_: TensorType) -> tuple[int | None, int | None]:
    """The aspect of tensors that E203 compares."""
    return (type_.height, type_.width)


def map_of(type_: TensorType) -> str:
    """A map's size as text: `height×width`."""
    return f"{type_.height}×{type_.width}"


def in_rows(named: list[tuple[str, Ref]]) -> list[list[tuple[str, Ref]]]:
    """The first MOST_NAMED tensors with their names, in rows of PER_ROW."""
    return [named[start : start + PER_ROW] for start in range(0, min(len(named), MOST_NAMED), PER_ROW)]
