"""W403: an input with the channels last."""

from __future__ import annotations

from collections.abc import Iterator
from typing import ClassVar

from cnngraph.diagnostics import Diagnostic, Fix, Question
from cnngraph.document import Listing, Table, Value
from cnngraph.frozen import frozen
from cnngraph.lint.edits import swapped
from cnngraph.lint.network import Network
from cnngraph.lint.rule import Rule


@frozen(slots=False)
class ChannelsLast(Rule):
    """An input such as `[28, 28, 1]` or `[224, 224, 3]`, which looks like height, width, channels.

    Sizes are [channels, height, width] as in PyTorch; TensorFlow and image libraries have the channels last. The
    network would see 28 channels of 28×1 pixels. An input is reported if its last size is 1, 3 or 4, the others are at
    least 8, and neither is more than four times the other. Ignore it for a map that really is this narrow.
    """

    code: ClassVar[str] = "W403"
    title: ClassVar[str] = "input whose channels seem to be last"
    smallest: ClassVar[int] = 8
    ratio: ClassVar[int] = 4
    bad: ClassVar[tuple[str, ...]] = (
        """
        input: [28, 28, 1]
        nodes: [{op: conv, out: 8, kernel: 3, padding: 1}]
        """,
        """
        input: [32, 32, 3]
        nodes: [{op: conv, out: 8, kernel: 3}]
        """,
        """
        input: {left: [1, 8, 8], right: [48, 64, 4]}
        nodes:
          a: {op: conv, out: 8, kernel: 1, from: left}
          b: {op: conv, out: 8, kernel: 1, from: right}
          pool: {op: global_avg_pool, from: a}
          pool2: {op: global_avg_pool, from: b}
          add: {op: add, from: [pool, pool2]}
        """,
    )
    good: ClassVar[tuple[str, ...]] = (
        """
        input: [1, 28, 28]
        nodes: [{op: conv, out: 8, kernel: 3, padding: 1}]
        """,
        """
        input: [12, 1000, 1]
        nodes: [{op: conv, out: 8, kernel: [3, 1]}]
        """,
        """
        input: [64, 4, 4]
        nodes: [{op: conv, out: 8, kernel: 3}]
        """,
    )

    def check(self, network: Network) -> Iterator[Diagnostic]:
        """Report each input that looks like height, width, channels."""
        for name, tensor in network.graph.inputs.items() if network.graph else ():
            if tensor.rank != 3 or not self._looks_swapped(*tensor.sizes):
                continue
            height, width, channels = tensor.sizes
            value = _value_of(network.spec.input, name)
            edit = swapped(value) if isinstance(value, Listing) else None
            right = f"[{channels}, {height}, {width}]"
            yield self.warning(
                f"the input {tensor} has {height} channels of {width}×{channels} pixels",
                value.span if value else None,
                notes=["the order must be `[channels, height, width]`"],
                help=f"write `{right}` if it is an image of {height}×{width} pixels",
                fixes=[Fix(Question(f"`{right}`"), (edit,))] if edit else [],
            )

    def _looks_swapped(self, first: int, second: int, last: int) -> bool:
        low, high = sorted((first, second))
        return last in (1, 3, 4) and low >= self.smallest and high <= self.ratio * low


def _value_of(value: Value | None, name: str) -> Value | None:
    """The sizes of an input, as written."""
    if isinstance(value, Table):
        entry = value.get(name)
        return entry.value if entry else None
    return value
