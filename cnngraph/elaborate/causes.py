"""Where an error may come from: the nodes behind the tensors that an op refuses, and what each of them changed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from cnngraph.diagnostics import Cause
from cnngraph.elaborate.values import Given, Reads
from cnngraph.fields import show_value
from cnngraph.graph.nodes import Node, Ref
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks

LONGEST_CHAIN = 12  # nodes behind an input that are examined
MOST_SUSPECTS = 40  # tensors behind a refused op, among whose nodes a fix is searched
CHANNELS_DIFFER, SIZES_DIFFER, WINDOW_TOO_LARGE = "E202", "E203", "E204"
SIZE_PARAMETERS = ("stride", "kernel", "padding", "dilation", "ceil_mode", "scale_factor", "size")


@dataclass(frozen=True)
class Trace:
    """Looks back from an op through the nodes made so far."""

    nodes: list[Node]
    words: Mapping[int, Mapping[str, Given]]
    type_of: Callable[[Ref], TensorType]
    readers: Counter[int]  # how many nodes read each

    def causes(
        self, refs: tuple[Ref, ...], channels: object = None, code: str = "", words: Mapping[str, Given] | None = None
    ) -> tuple[Cause, ...]:
        """The values of a node's own `words`, then the nodes behind some tensors with theirs, nearest first.

        `channels` is how many are wanted, where that is known.
        """
        try:
            wanted = channels if type(channels) is int else None
            own = tuple(origins(words or {}))
            if code == WINDOW_TOO_LARGE and sizes_of(self.type_of(refs[0])) == (1, 1):
                own = tuple(replace(cause, values=("1",)) if cause.key == "kernel" else cause for cause in own)
            return (*own, *self.suspects(self.odd_first(code, refs), wanted))
        except Exception:  # as above: without a cause there is still the error
            return ()

    def odd_first(self, code: str, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Inputs in the order of suspicion: what differs from most of the others comes first."""
        aspect = channels_of if code == CHANNELS_DIFFER else sizes_of
        counts = Counter(aspect(self.type_of(ref)) for ref in refs)
        return tuple(sorted(refs, key=lambda ref: counts[aspect(self.type_of(ref))]))

    def suspects(self, refs: tuple[Ref, ...], channels: int | None) -> Iterator[Cause]:
        """The same, as they are found."""
        have = [self.type_of(ref).channels for ref in refs if self.type_of(ref).batched]
        wanted = [channels] if channels is not None else have
        changes = {want - each for want in wanted for each in have} - {0}
        seen, waiting = set(refs), list(refs)
        while waiting and len(seen) < MOST_SUSPECTS:
            ref = waiting.pop(0)
            if ref.node < 0:
                continue
            node = self.nodes[ref.node]
            yield Cause(node.span)
            yield from origins(self.words[ref.node], wanted, changes)
            waiting += [read for read in dict.fromkeys(node.reads) if read not in seen]
            seen.update(node.reads)

    def facts(self, reads: Reads) -> tuple[str, ...]:
        """Each input with its shape; for a single one, where it comes from."""
        named = list(self.named(reads))
        if len(named) == 1:
            name, ref = named[0]
            return (f"reads `{name}` {self.type_of(ref)}, {self.producer(ref)}",)
        return tuple(" · ".join(f"`{name}` {self.type_of(ref)}" for name, ref in row) for row in in_rows(named))

    def history(self, ref: Ref) -> tuple[str, ...]:
        """What made a tensor."""
        verb = "is" if ref.node < 0 else "comes"
        return (f"{self.type_of(ref)} {verb} {self.producer(ref)}",)

    def producer(self, ref: Ref) -> str:
        """`from max_pool at spec.yaml:12`."""
        if ref.node < 0:
            return "the network's input"
        node = self.nodes[ref.node]
        return f"from `{node.op}` at {node.span}"

    def named(self, reads: Reads) -> Iterator[tuple[str, Ref]]:
        """Each tensor with the name the author used for it."""
        for value, name in zip(reads.values, reads.names, strict=True):
            for number, ref in enumerate(value.refs):
                yield (f"{name}.{number}" if len(value.refs) > 1 else name), ref

    def shrinking(self, ref: Ref) -> tuple[str, ...]:
        """Where a map lost its size: `30×30 conv1 → 7×7 pool1 → 3×3 conv2`."""
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

    def cause(self, ref: Ref, aspect: Callable[[TensorType], Any]) -> str | None:
        """The nearest node behind a tensor that changed the aspect: `max_pool stride 2 at spec.yaml:16`."""
        for index in self.chain(ref, through_forks=True):
            node = self.nodes[index]
            before = self.type_of(node.reads[0]) if node.reads else None
            if before is None or aspect(before) != aspect(node.types[0]):
                return f"`{node.op}`{self.telling_words(index, aspect)} at {node.span}"
        return None

    def telling_words(self, index: int, aspect: Callable[[TensorType], Any]) -> str:
        """The words of a node that set the aspect."""
        words = self.words[index]
        names = ("out",) if aspect is channels_of else SIZE_PARAMETERS
        given = [f"{name}: {show_value(words[name].value)}" for name in names if name in words]
        if aspect is sizes_of and "stride" in words and words["stride"].value != 1:
            given = given[:1]
        return f" ({in_backticks(given)})" if given else ""

    def chain(self, ref: Ref, through_forks: bool = False) -> list[int]:
        """The nodes behind a tensor, nearest first, as long as each reads one; up to a fork unless told otherwise."""
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
        """The tensors that a tensor hangs on, through its last few nodes."""
        found: set[Ref] = set()
        waiting = [ref]
        while waiting and len(found) < 20 * LONGEST_CHAIN:
            each = waiting.pop(0)
            reads = self.nodes[each.node].reads if each.node >= 0 else ()
            waiting += [read for read in reads if read not in found]
            found.update(reads)
        return found


def origins(words: Mapping[str, Given], wanted: Iterable[int] = (), changes: Iterable[int] = ()) -> Iterator[Cause]:
    """Where the values of a node's parameters were first written; `out` with what it would have to be, and by what."""
    for key, given in words.items():
        values: list[int] = []
        if key == "out" and type(given.value) is int:
            values = [*wanted, *(given.value + change for change in sorted(changes, key=abs))]
        yield Cause(given.origin, key, tuple(dict.fromkeys(str(each) for each in values if 0 < each != given.value)))


def channels_of(type_: TensorType) -> Any:
    """The aspect of tensors in which E202 finds them to differ."""
    return type_.channels


def sizes_of(type_: TensorType) -> Any:
    """The aspect of tensors in which E203 finds them to differ."""
    return (type_.height, type_.width)


def map_of(type_: TensorType) -> str:
    """Height×width of a map."""
    return f"{type_.height}×{type_.width}"


def in_rows(named: list[tuple[str, Ref]], width: int = 4, most: int = 12) -> list[list[tuple[str, Ref]]]:
    """The first `most` of the named tensors, a few to a line."""
    return [named[start : start + width] for start in range(0, min(len(named), most), width)]
