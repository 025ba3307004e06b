"""The measured times of a network's operations, as a value."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from cnngraph.frozen import frozen
from cnngraph.numbers import show_seconds


@frozen(eq=False)
class NodeTimes:
    """The time that each operation of a network takes for one image, in eval mode.

    `seconds` are the medians of several forward `passes`, by the paths of operations; 0 for those that do not run in
    eval mode, and for free parameters and constants. `device` says where they ran, such as `cpu, 2 threads`.
    """

    seconds: Mapping[str, float] = field(repr=False)
    device: str
    passes: int

    @property
    def total(self) -> float:
        """The seconds of all operations together. What Python does between them is not included."""
        return sum(self.seconds.values())

    def __str__(self) -> str:
        passes = "1 forward pass" if self.passes == 1 else f"{self.passes} forward passes"
        return f"{show_seconds(self.total)} on {self.device}, {passes}"
