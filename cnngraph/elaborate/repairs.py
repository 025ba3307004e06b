"""Why a shape is what it is, and which small change would mend it: the facts and the help behind an op's refusal."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from cnngraph.diagnostics import Cause, Span
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.values import Given, Reads
from cnngraph.fields import fields_of, show_value
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.conv import Conv
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.ops.padding import pad_before, same_sides
from cnngraph.ops.pool import AvgPool, MaxPool
from cnngraph.ops.resize import Pad
from cnngraph.tensor_type import TensorType

LARGEST_STRIDE = 4  # of a shortcut that a mend suggests
LONGEST_CHAIN = 12  # nodes looked at behind an input
MOST_SUSPECTS = 40  # tensors behind a refused op, among whose nodes a fix is searched
MOST_TARGETS = 8  # shapes that the odd input is tried to be given
CHANNELS_DIFFER, SIZES_DIFFER, WINDOW_TOO_LARGE = "E202", "E203", "E204"
HELP_SHRINK = "a smaller window, or less stride and more padding before it; global_avg_pool takes any size"
ENLARGING = ("conv_transpose", "upsample", "pixel_shuffle")
SIZE_WORDS = ("stride", "kernel", "padding", "dilation", "ceil_mode", "scale_factor", "size")


@dataclass(frozen=True)
class Blame:
    """Looks back from a refused op through the nodes made so far."""

    nodes: list[Node]
    words: Mapping[int, Mapping[str, Given]]
    type_of: Callable[[Ref], TensorType]
    readers: Counter[int]  # how many nodes read each

    def refusal(self, error: OpError, op: Op, reads: Reads, words: Mapping[str, Given], span: Span) -> ProblemError:
        """An op's refusal with its place, what it reads, and a likely mend."""
        given = words.get(error.word) if error.word else None
        try:
            notes, mend = self.explanation(error, op, reads)
        except Exception:  # the error itself is right, whatever went wrong in the search for its cause and fix
            notes, mend = (), None
        where = given.span if given else span
        if given and given.origin != given.span:
            notes = (*notes, f"{error.word} is {show_value(given.value)}, from {given.origin}")
        help = mend or error.help or (HELP_SHRINK if error.code == WINDOW_TOO_LARGE else None)
        causes = (Cause(span), *self.causes(reads.refs, code=error.code, words=words))
        return ProblemError(error.code, error.message, where, notes=notes, help=help, causes=causes)

    def causes(
        self, refs: tuple[Ref, ...], channels: object = None, code: str = "", words: Mapping[str, Given] | None = None
    ) -> tuple[Cause, ...]:
        """The values of a node's own `words`, then the nodes behind some tensors with theirs, nearest first.

        `channels` is how many are wanted, where that is known.
        """
        try:
            wanted = channels if type(channels) is int else None
            return (*_origins(words or {}), *self.suspects(self.odd_first(code, refs), wanted))
        except Exception:  # as above: without a cause there is still the error
            return ()

    def odd_first(self, code: str, refs: tuple[Ref, ...]) -> tuple[Ref, ...]:
        """Inputs in the order of suspicion: what differs from most of the others comes first."""
        aspect = _channels if code == CHANNELS_DIFFER else _sizes
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
            yield from _origins(self.words[ref.node], wanted, changes)
            waiting += [read for read in dict.fromkeys(node.reads) if read not in seen]
            seen.update(node.reads)

    def explanation(self, error: OpError, op: Op, reads: Reads) -> tuple[tuple[str, ...], str | None]:
        """The facts that led to a refusal, and a fix if one was found."""
        if error.code in (CHANNELS_DIFFER, SIZES_DIFFER) and len(reads.refs) > 1:
            return self.disagreement(error.code, op, reads)
        notes = self.facts(reads)
        if error.code == WINDOW_TOO_LARGE and reads.refs:
            notes = (*notes, *self.shrinking(reads.refs[0]))
        return notes, None

    def facts(self, reads: Reads) -> tuple[str, ...]:
        """Each input with its shape; for a single one, where it comes from."""
        named = list(self.named(reads))
        if len(named) == 1:
            name, ref = named[0]
            return (f"reads {name} {self.type_of(ref)}, {self.producer(ref)}",)
        return tuple(" · ".join(f"{name} {self.type_of(ref)}" for name, ref in row) for row in _rows(named))

    def history(self, ref: Ref) -> tuple[str, ...]:
        """What made a tensor."""
        verb = "is" if ref.node < 0 else "comes"
        return (f"{self.type_of(ref)} {verb} {self.producer(ref)}",)

    def producer(self, ref: Ref) -> str:
        """`from max_pool at spec.yaml:12`."""
        if ref.node < 0:
            return "the network's input"
        node = self.nodes[ref.node]
        return f"from {node.op} at {node.span}"

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
            if _sizes(before) != _sizes(self.type_of(ref)):
                steps.append(f"{_map(self.type_of(ref))} {node.path}")
            ref = node.reads[0]
        steps.append(f"{_map(self.type_of(ref))} {'in' if ref.node < 0 else self.nodes[ref.node].path}")
        return (f"the map shrinks: {' → '.join(reversed(steps))}",) if len(steps) > 2 else ()

    # -- inputs that do not agree

    def disagreement(self, code: str, op: Op, reads: Reads) -> tuple[tuple[str, ...], str | None]:
        """The inputs that agree in a row, each odd one with what made it so, and a mend if a small change is one."""
        aspect = _channels if code == CHANNELS_DIFFER else _sizes
        named = list(self.named(reads))
        counts = Counter(aspect(self.type_of(ref)) for _, ref in named)
        usual = counts.most_common(1)[0][0]
        even = [each for each in named if aspect(self.type_of(each[1])) == usual]
        odd = [each for each in named if aspect(self.type_of(each[1])) != usual]
        if len(even) == 1:  # nothing says which of them is meant
            even, odd = [], named
        notes = [" · ".join(f"{name} {self.type_of(ref)}" for name, ref in row) for row in _rows(even)]
        for name, ref in odd[:6]:
            cause = self.cause(ref, aspect)
            notes.append(f"{name} {self.type_of(ref)}{f', because of {cause}' if cause else ''}")
        maps = [each for each in named if self.type_of(each[1]).is_map]
        mend = None
        if aspect is _sizes and len(maps) > 1:
            facts, mend = self.off_by_one(op, named)
            notes += facts
            mend = mend or self.rounding(maps)
        mend = mend or self.projection(op, named) or self.mend(op, named, usual, aspect)
        for target, _ in counts.most_common(MOST_TARGETS):
            mend = mend or self.mend(op, named, target, aspect)
        return tuple(notes), mend

    def cause(self, ref: Ref, aspect: Callable[[TensorType], Any]) -> str | None:
        """The nearest node behind a tensor that changed the aspect: `max_pool stride 2 at spec.yaml:16`."""
        for index in self.chain(ref, through_forks=True):
            node = self.nodes[index]
            before = self.type_of(node.reads[0]) if node.reads else None
            if before is None or aspect(before) != aspect(node.types[0]):
                return f"{node.op}{self.telling_words(index, aspect)} at {node.span}"
        return None

    def telling_words(self, index: int, aspect: Callable[[TensorType], Any]) -> str:
        """The words of a node that set the aspect."""
        words = self.words[index]
        names = ("out",) if aspect is _channels else SIZE_WORDS
        given = [f"{name} {show_value(words[name].value)}" for name in names if name in words]
        if aspect is _sizes and "stride" in words and words["stride"].value != 1:
            given = given[:1]
        return f" {', '.join(given)}" if given else ""

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

    def off_by_one(self, op: Op, named: list[tuple[str, Ref]]) -> tuple[list[str], str | None]:
        """A window of even size at stride 1 cannot be padded evenly: it gives one row too many, or one too few."""
        for place, (_, ref) in enumerate(named):
            for index in self.chain(ref, through_forks=True):
                node = self.nodes[index]
                sides = _missing_sides(node, self.type_of(node.reads[0])) if len(node.reads) == 1 else None
                if sides is None:
                    continue
                before, after = self.type_of(node.reads[0]), node.types[0]
                types = [self.type_of(each) for _, each in named]
                types[place] = types[place].with_sizes(H=before.sizes[1], W=before.sizes[2])
                if not _accepts(op, types):
                    continue
                kernel, padding = (self.words[index].get(name) for name in ("kernel", "padding"))
                text = [
                    f"{name} {show_value(given.value)}"
                    for name, given in (("kernel", kernel), ("padding", padding))
                    if given
                ]
                grown = after.sizes[1] > before.sizes[1] or after.sizes[2] > before.sizes[2]
                fact = f"{', '.join(text)} at stride 1 gives one row too {'many' if grown else 'few'}"
                return [f"{fact}: {_map(before)} becomes {_map(after)}"], self.suggested_padding(index, sides)
        return [], None

    def suggested_padding(self, index: int, sides: tuple[int, ...]) -> str:
        """How a node keeps the size of its map."""
        node = self.nodes[index]
        if node.op == "conv":
            return self.suggestion(index, {"padding": "same"})
        remove = ", and remove its padding" if "padding" in self.words[index] else ""
        return f"put {pad_before(sides, node.op)} before the {node.op} at {node.span}{remove}"

    def rounding(self, named: list[tuple[str, Ref]]) -> str | None:
        """A map that does not divide evenly has another size once made smaller and larger again, as in a U-Net."""
        for _, ref in named:
            factor = max((self.growth(self.nodes[index]) for index in self.chain(ref)), default=1)
            found, behind = self.type_of(ref), self.behind(ref)
            for _, other in named if factor > 1 else ():
                want = self.type_of(other)
                pairs = list(zip(want.sizes[1:], found.sizes[1:], strict=True))
                is_rest = 0 < max(abs(a - b) for a, b in pairs) < factor and any(a % factor for a, _ in pairs)
                if is_rest and not behind.isdisjoint({other, *self.behind(other)}):
                    way = f"{_map(want)} is not divisible by {factor}, so it comes back from down- and upsampling as"
                    return f"{way} {_map(found)}; choose an input size divisible by {factor * self.shrunk(want)}"
        return None

    def shrunk(self, map_: TensorType) -> int:
        """By which factor a map is smaller than the network's input."""
        input_ = self.type_of(Ref(-1))
        if not input_.is_map:
            return 1
        return max(1, *(round(large / small) for large, small in zip(input_.sizes[1:], map_.sizes[1:], strict=True)))

    def growth(self, node: Node) -> int:
        """By which factor an op enlarges a map."""
        after = node.types[0]
        before = self.type_of(node.reads[0]) if len(node.reads) == 1 else after
        if not (before.is_map and after.is_map) or node.op not in ENLARGING:
            return 1
        if getattr(node.operation, "stride", None) == (1, 1):
            return 1
        return max(-(-large // small) for large, small in zip(after.sizes[1:], before.sizes[1:], strict=True))

    def projection(self, op: Op, named: list[tuple[str, Ref]]) -> str | None:
        """A shortcut beside a branch that changes the shape wants a 1×1 convolution of that stride and width."""
        if len(named) != 2:
            return None
        for (name, ref), (_, other) in (named, named[::-1]):
            short, long = self.type_of(ref), self.type_of(other)
            if ref not in self.behind(other) or not (short.is_map and long.is_map):
                continue
            stride = max(1, -(-short.sizes[1] // long.sizes[1]))
            if stride > LARGEST_STRIDE:
                continue
            shrunk = tuple((size - 1) // stride + 1 for size in short.sizes[1:])
            projected = short.with_sizes(C=long.channels, H=shrunk[0], W=shrunk[1])
            types = [projected if each == ref else self.type_of(each) for _, each in named]
            if _accepts(op, types):
                strided = f", stride: {stride}" if stride > 1 else ""
                conv = f"{{op: conv, from: {name}, out: {long.channels}, kernel: 1{strided}}}"
                return f"project the shortcut, and read that instead of {name}: {conv}"
        return None

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

    def mend(
        self, op: Op, named: list[tuple[str, Ref]], target: Any, aspect: Callable[[TensorType], Any]
    ) -> str | None:
        """One change of one node that gives every odd input the target, found by trying."""
        odd = [ref for _, ref in named if aspect(self.type_of(ref)) != target]
        if len(odd) != 1 or odd[0].node < 0:
            return None
        chain = self.chain(odd[0])
        for depth, index in enumerate(chain):
            for change in _changes(self.nodes[index].operation, target, aspect):
                types = [self.type_of(ref) for _, ref in named]
                at = [ref for _, ref in named].index(odd[0])
                changed = self.after(chain[: depth + 1], change)
                if changed is None:
                    continue
                types[at] = changed
                if _accepts(op, types):
                    return self.suggestion(index, change)
        return None

    def after(self, chain: list[int], change: Mapping[str, Any]) -> TensorType | None:
        """The type at the near end of a chain, its far end changed; None where that is refused."""
        far = self.nodes[chain[-1]]
        try:
            type_ = _single(infer_types(dataclasses.replace(far.operation, **change), _types(self, far)))
            for index in reversed(chain[:-1]):
                type_ = _single(infer_types(self.nodes[index].operation, (type_,)))
        except (OpError, TypeError, ValueError):
            return None
        return type_

    def suggestion(self, index: int, change: Mapping[str, Any]) -> str:
        """`did you mean stride: 1 at spec.yaml:16?`"""
        words = self.words[index]
        node = self.nodes[index]
        text = ", ".join(f"{name}: {_shown(value)}" for name, value in change.items())
        given = [words[name] for name in change if name in words]
        if len(given) == len(change):
            return f"did you mean {text} at {given[0].origin}?"
        return f"add {text} to the {node.op} at {node.span}" if not given else f"make it {text} at {node.span}"


def _origins(words: Mapping[str, Given], wanted: Iterable[int] = (), changes: Iterable[int] = ()) -> Iterator[Cause]:
    """Where the values of a node's parameters were first written; `out` with what it would have to be, and by what."""
    for key, given in words.items():
        values: list[int] = []
        if key == "out" and type(given.value) is int:
            values = [*wanted, *(given.value + change for change in sorted(changes, key=abs))]
        yield Cause(given.origin, key, tuple(dict.fromkeys(str(each) for each in values if 0 < each != given.value)))


def _missing_sides(node: Node, before: TensorType) -> tuple[int, ...] | None:
    """The uneven padding with which an even window at stride 1 would keep the map's size, if it has an even one."""
    op, after = node.operation, node.types[0]
    if not isinstance(op, Conv | MaxPool | AvgPool) or not (before.is_map and after.is_map):
        return None
    stride = op.stride or op.kernel
    dilation = getattr(op, "dilation", (1, 1))
    changes = [abs(a - b) for a, b in zip(before.sizes[1:], after.sizes[1:], strict=True)]
    if stride != (1, 1) or max(changes) != 1 or op.padding == (0, 0):
        return None
    return same_sides(before.sizes[1:], op.kernel, (1, 1), dilation)


def _channels(type_: TensorType) -> Any:
    return type_.channels


def _sizes(type_: TensorType) -> Any:
    return (type_.height, type_.width)


def _map(type_: TensorType) -> str:
    return f"{type_.height}×{type_.width}"


def _changes(op: Op, target: Any, aspect: Callable[[TensorType], Any]) -> Iterator[dict[str, Any]]:
    """Small changes of an op that authors forget, likeliest first."""
    fields = fields_of(type(op))
    if aspect is _channels:
        if "out" in fields:
            yield {"out": target}
        return
    single: list[dict[str, Any]] = []
    if "stride" in fields:
        single += [{"stride": (1, 1)}, {"stride": (2, 2)}]
    if isinstance(op, Pad):
        single.append({"padding": (0, 0, 0, 0)})
    elif "padding" in fields:
        single += [{"padding": "half"}, {"padding": (0, 0)}]
    if "dilation" in fields:
        single.append({"dilation": (1, 1)})
    if "ceil_mode" in fields:
        single.append({"ceil_mode": not getattr(op, "ceil_mode")})  # noqa: B009
    yield from single
    if "stride" in fields and "padding" in fields and not isinstance(op, Pad):
        yield {"stride": (1, 1), "padding": "half"}
        yield {"stride": (2, 2), "padding": "half"}


def _accepts(op: Op, types: list[TensorType]) -> bool:
    try:
        infer_types(op, tuple(types))
    except OpError:
        return False
    return True


def _types(blame: Blame, node: Node) -> tuple[TensorType, ...]:
    return tuple(blame.type_of(ref) for ref in node.reads)


def _single(result: TensorType | tuple[TensorType, ...]) -> TensorType:
    if isinstance(result, tuple):
        raise ValueError
    return result


def _shown(value: Any) -> str:
    return show_value(value[0]) if isinstance(value, tuple) and len(set(value)) == 1 else show_value(value)


def _rows(named: list[tuple[str, Ref]], width: int = 4, most: int = 12) -> list[list[tuple[str, Ref]]]:
    return [named[start : start + width] for start in range(0, min(len(named), most), width)]
