"""Searches a small change of a node that removes a shape error, by trying changes on the shapes upstream of the op."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, TypeAlias

from cnngraph.diagnostics import Cause, Guess, Span
from cnngraph.diagnostics.repairs import ParameterRepair, ProjectionRepair, Repair, Setting
from cnngraph.elaborate.causes import (
    CHANNELS_DIFFER,
    SIZES_DIFFER,
    WINDOW_TOO_LARGE,
    Aspect,
    Trace,
    channels_of,
    in_rows,
    map_of,
    sizes_of,
)
from cnngraph.elaborate.messages import ProblemError
from cnngraph.elaborate.values import Argument, Reads
from cnngraph.fields import fields_of, show_value
from cnngraph.frozen import frozen
from cnngraph.graph.nodes import Node, Ref
from cnngraph.ops.conv import Conv
from cnngraph.ops.op import Op, OpError, infer_types
from cnngraph.ops.pool import AvgPool, MaxPool
from cnngraph.ops.resize import Pad
from cnngraph.tensor_type import TensorType
from cnngraph.text import in_backticks

LARGEST_STRIDE = 4  # of a suggested projection
MOST_TARGETS = 8  # shapes that are tried for the odd input
HELP_SHRINK = (
    "use a smaller kernel here, or a smaller stride or more padding earlier; `global_avg_pool` accepts any size"
)
ENLARGING = ("conv_transpose", "upsample", "pixel_shuffle")


Found: TypeAlias = Repair | str | None  # a repair, advice, or nothing


@frozen(slots=False)
class Repairs:
    """Searches the nodes upstream of a rejected op."""

    trace: Trace

    def refusal(
        self, error: OpError, op: Op, reads: Reads, arguments: Mapping[str, Argument], span: Span
    ) -> ProblemError:
        """An op's error with its location, its inputs, and a likely repair or advice."""
        argument = arguments.get(error.parameter) if error.parameter else None
        try:
            notes, found = self.explanation(error, op, reads, span)
        except Exception:  # the error is right even if the search for a cause and fix fails
            notes, found = (), None
        where = argument.span if argument else span
        if argument and argument.origin != argument.span:
            notes = (*notes, f"`{error.parameter}` is {show_value(argument.value)}, from {argument.origin}")
        repairs = () if found is None or isinstance(found, str) else (found,)
        help = found if isinstance(found, str) else error.help
        if repairs:
            help = Guess(repairs[0].title) if isinstance(repairs[0], ParameterRepair) else repairs[0].title
        if error.code == WINDOW_TOO_LARGE:
            help = help or HELP_SHRINK
        causes = (Cause(span), *self.trace.causes(reads.refs, code=error.code, arguments=arguments))
        return ProblemError(error.code, error.message, where, notes=notes, help=help, causes=causes, repairs=repairs)

    def explanation(self, error: OpError, op: Op, reads: Reads, span: Span) -> tuple[tuple[str, ...], Found]:
        """The facts that led to the error, and a repair or advice if one was found."""
        if error.code in (CHANNELS_DIFFER, SIZES_DIFFER) and len(reads.refs) > 1:
            return self.disagreement(error.code, op, reads, span)
        notes = self.trace.facts(reads)
        if error.code == WINDOW_TOO_LARGE and reads.refs:
            notes = (*notes, *self.trace.shrinking(reads.refs[0]))
        return notes, None

    def disagreement(self, code: str, op: Op, reads: Reads, span: Span) -> tuple[tuple[str, ...], Found]:
        """Notes on the inputs that agree, on each odd one with its cause, and a repair if a small change suffices."""
        aspect: Aspect = channels_of if code == CHANNELS_DIFFER else sizes_of
        named = list(self.trace.named(reads))
        counts = Counter(aspect(self.trace.type_of(ref)) for _, ref in named)
        usual = counts.most_common(1)[0][0]
        even = [pair for pair in named if aspect(self.trace.type_of(pair[1])) == usual]
        odd = [pair for pair in named if aspect(self.trace.type_of(pair[1])) != usual]
        if len(even) == 1:  # with two inputs neither is the odd one
            even, odd = [], named
        notes = [" · ".join(f"`{name}` {self.trace.type_of(ref)}" for name, ref in row) for row in in_rows(even)]
        for name, ref in odd[:6]:
            cause = self.trace.cause(ref, aspect)
            notes.append(f"`{name}` {self.trace.type_of(ref)}{f', because of {cause}' if cause else ''}")
        maps = [pair for pair in named if self.trace.type_of(pair[1]).is_map]
        found: Found = None
        if aspect is sizes_of and len(maps) > 1:
            facts, found = self.off_by_one(op, named)
            notes += facts
            found = found or self.rounding(maps)
        found = found or self.projection(op, named, span) or self.other_parameters(op, named, usual, aspect)
        for target, _ in counts.most_common(MOST_TARGETS):
            found = found or self.other_parameters(op, named, target, aspect)
        return tuple(notes), found

    def off_by_one(self, op: Op, named: list[tuple[str, Ref]]) -> tuple[list[str], Repair | None]:
        """A window of even size at stride 1 cannot be padded evenly: it gives one row too many, or one too few."""
        for place, (_, ref) in enumerate(named):
            for index in self.trace.chain(ref, through_forks=True):
                node = self.trace.nodes[index]
                before, after = self.trace.type_of(node.reads[0]) if node.reads else None, node.types[0]
                if before is None or not _misses_one_row(node, before):
                    continue
                types = [self.trace.type_of(read) for _, read in named]
                types[place] = types[place].with_sizes(H=before.sizes[1], W=before.sizes[2])
                if not _accepts(op, types):
                    continue
                kernel, padding = (self.trace.arguments[index].get(name) for name in ("kernel", "padding"))
                text = [
                    f"{name}: {show_value(argument.value)}"
                    for name, argument in (("kernel", kernel), ("padding", padding))
                    if argument
                ]
                grown = after.sizes[1] > before.sizes[1] or after.sizes[2] > before.sizes[2]
                fact = f"{in_backticks(text)} with stride 1 gives one row too {'many' if grown else 'few'}"
                return [f"{fact}: {map_of(before)} becomes {map_of(after)}"], self.repair(
                    index, {"padding": "same" if node.op == "conv" else "tf_same"}
                )
        return [], None

    def rounding(self, named: list[tuple[str, Ref]]) -> str | None:
        """A size that is not divisible changes when a map is down- and upsampled, as in a U-Net."""
        for _, ref in named:
            factor = max((self.growth(self.trace.nodes[index]) for index in self.trace.chain(ref)), default=1)
            found, behind = self.trace.type_of(ref), self.trace.behind(ref)
            for _, other in named if factor > 1 else ():
                want = self.trace.type_of(other)
                pairs = list(zip(want.sizes[1:], found.sizes[1:], strict=True))
                is_rest = 0 < max(abs(a - b) for a, b in pairs) < factor and any(a % factor for a, _ in pairs)
                if is_rest and not behind.isdisjoint({other, *self.trace.behind(other)}):
                    way = f"{map_of(want)} is not divisible by {factor}, so it comes back from down- and upsampling as"
                    return f"{way} {map_of(found)}; choose an input size divisible by {factor * self.shrunk(want)}"
        return None

    def shrunk(self, map_: TensorType) -> int:
        """The factor by which a map is smaller than the network's input."""
        input_ = self.trace.type_of(Ref(-1))
        if not input_.is_map:
            return 1
        return max(1, *(round(large / small) for large, small in zip(input_.sizes[1:], map_.sizes[1:], strict=True)))

    def growth(self, node: Node) -> int:
        """The factor by which an op enlarges a map."""
        after = node.types[0]
        before = self.trace.type_of(node.reads[0]) if len(node.reads) == 1 else after
        if not (before.is_map and after.is_map) or node.op not in ENLARGING:
            return 1
        if getattr(node.operation, "stride", None) == (1, 1):
            return 1
        return max(-(-large // small) for large, small in zip(after.sizes[1:], before.sizes[1:], strict=True))

    def projection(self, op: Op, named: list[tuple[str, Ref]], span: Span) -> Repair | None:
        """A shortcut around a branch that changes the shape needs a 1×1 convolution with the same stride and width."""
        if len(named) != 2:
            return None
        for (name, ref), (_, other) in (named, named[::-1]):
            short, long = self.trace.type_of(ref), self.trace.type_of(other)
            if ref not in self.trace.behind(other) or not (short.is_map and long.is_map):
                continue
            stride = max(1, -(-short.sizes[1] // long.sizes[1]))
            if stride > LARGEST_STRIDE:
                continue
            shrunk = tuple((size - 1) // stride + 1 for size in short.sizes[1:])
            projected = short.with_sizes(C=long.channels, H=shrunk[0], W=shrunk[1])
            types = [projected if read == ref else self.trace.type_of(read) for _, read in named]
            if _accepts(op, types):
                strided = f", stride: {stride}" if stride > 1 else ""
                conv = f"{{op: conv, from: {name}, out: {long.channels}, kernel: 1{strided}}}"
                return ProjectionRepair(span, name, conv)
        return None

    def other_parameters(self, op: Op, named: list[tuple[str, Ref]], target: object, aspect: Aspect) -> Repair | None:
        """A change of one node that gives the odd input the target shape, found by trying."""
        odd = [ref for _, ref in named if aspect(self.trace.type_of(ref)) != target]
        if len(odd) != 1 or odd[0].node < 0:
            return None
        chain = self.trace.chain(odd[0])
        for depth, index in enumerate(chain):
            for change in _changes(self.trace.nodes[index].operation, target, aspect):
                types = [self.trace.type_of(ref) for _, ref in named]
                at = [ref for _, ref in named].index(odd[0])
                changed = self.after(chain[: depth + 1], change)
                if changed is None:
                    continue
                types[at] = changed
                if _accepts(op, types):
                    return self.repair(index, change)
        return None

    def after(self, chain: list[int], change: Mapping[str, Any]) -> TensorType | None:
        """The type at the end of a chain when its first node is changed; None if an op rejects that."""
        far = self.trace.nodes[chain[-1]]
        try:
            type_ = _single(infer_types(dataclasses.replace(far.operation, **change), _types(self.trace, far)))
            for index in reversed(chain[:-1]):
                type_ = _single(infer_types(self.trace.nodes[index].operation, (type_,)))
        except (OpError, TypeError, ValueError):
            return None
        return type_

    def repair(self, index: int, change: Mapping[str, Any]) -> Repair:
        """A repair that sets parameters of a node."""
        node, arguments = self.trace.nodes[index], self.trace.arguments[index]
        settings = [
            Setting(name, _shown(value), arguments[name].origin if name in arguments else None)
            for name, value in change.items()
        ]
        return ParameterRepair(node.op, node.span, tuple(settings))


def _misses_one_row(node: Node, before: TensorType) -> bool:
    """Whether an even window at stride 1 was padded evenly, which adds or removes a row."""
    op, after = node.operation, node.types[0]
    if not isinstance(op, Conv | MaxPool | AvgPool) or not (before.is_map and after.is_map):
        return False
    changes = [abs(a - b) for a, b in zip(before.sizes[1:], after.sizes[1:], strict=True)]
    return (op.stride or op.kernel) == (1, 1) and max(changes) == 1 and op.padding != (0, 0)


def _changes(op: Op, target: object, aspect: Aspect) -> Iterator[dict[str, Any]]:
    """Parameters of an op that authors often forget, likeliest first."""
    fields = fields_of(type(op))
    if aspect is channels_of:
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


def _types(trace: Trace, node: Node) -> tuple[TensorType, ...]:
    return tuple(trace.type_of(ref) for ref in node.reads)


def _single(result: TensorType | tuple[TensorType, ...]) -> TensorType:
    if isinstance(result, tuple):
        raise ValueError
    return result


def _shown(value: object) -> str:
    return show_value(value[0]) if isinstance(value, tuple) and len(set(value)) == 1 else show_value(value)
