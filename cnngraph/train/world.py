"""The processes that train one network together, as torchrun starts them; usually there is one.

Each process learns from its share of every batch. What is counted is summed over all of them, what is decided is
agreed upon, and the first one, which leads, writes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch import Tensor

from cnngraph.diagnostics import SpecError
from cnngraph.launch import is_launched

T = TypeVar("T")

LEFT = "E635"  # the code of a process that another one left
FEWEST = 2  # images of a batch for each process: batch norm cannot learn from one


class Share(NamedTuple):
    """One process's part of a batch: which images, and how its mean weighs where all means are averaged.

    A batch too small to be shared is every process's, and only one counts it.
    """

    mine: slice
    weight: float
    counted: bool


WHOLE = Share(slice(None), 1.0, True)


@dataclass(frozen=True, eq=False)
class World:
    """Process `rank` of `size`. `control` joins their CPUs for what is agreed upon; None where there is one process."""

    rank: int = 0
    size: int = 1
    control: dist.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        """Whether this is the process that writes."""
        return self.rank == 0

    def share(self, count: int) -> Share:
        """This process's part of so many images: as many as the others have, or one more or less."""
        if self.size == 1:
            return WHOLE
        if count < FEWEST * self.size:
            return Share(slice(0, count), 1.0, self.leads)
        first, stop = (count * each // self.size for each in (self.rank, self.rank + 1))
        return Share(slice(first, stop), (stop - first) * self.size / count, True)

    def sum(self, numbers: Tensor) -> Tensor:
        """The sum over all processes."""
        if self.control is None:
            return numbers
        total: Tensor = idist.all_reduce(numbers.clone())  # type: ignore[assignment]
        return total

    def agree(self, *wishes: int) -> tuple[int, ...]:
        """Of each wish (a truth value, or a number up to 255) the greatest that any process has."""
        if self.control is None:
            return wishes
        told = torch.tensor(wishes, dtype=torch.uint8)
        dist.all_reduce(told, dist.ReduceOp.MAX, group=self.control)
        return tuple(told.tolist())

    def from_leader(self, value: T | None) -> T:
        """What the leader has, for all."""
        held: list[Any] = [value]
        if self.control is not None:
            dist.broadcast_object_list(held, src=0, group=self.control)
        found: T = held[0]
        return found

    def all(self, value: T) -> list[T]:
        """What each process has, in their order."""
        if self.control is None:
            return [value]
        held: list[Any] = [None] * self.size
        dist.all_gather_object(held, value, group=self.control)
        return held

    def settle(self, tensors: Iterable[Tensor]) -> None:
        """Let tensors that each process has its own of, such as running statistics, be the leader's."""
        if self.control is not None:
            for each in tensors:
                dist.broadcast(each, src=0)

    def wait(self) -> None:
        """Until all processes are here."""
        if self.control is not None:
            dist.barrier(group=self.control)


ALONE = World()


@contextmanager
def joined(device: torch.device) -> Iterator[World]:
    """The world of this process while it trains on a device: NCCL joins GPUs, gloo CPUs.

    Raises SpecError (E635) where another process ended before it should.
    """
    if not is_launched():
        yield ALONE
        return
    idist.initialize("nccl" if device.type == "cuda" else "gloo")
    try:
        control = dist.new_group(backend="gloo")
        assert isinstance(control, dist.ProcessGroup)
        yield World(idist.get_rank(), idist.get_world_size(), control)
    except SpecError as error:
        error.speaks = _is_first_to_say(error)
        raise
    except RuntimeError as error:
        if not _was_left(error):
            raise
        message = "another process of this run ended, so this one does"
        help = "its own message says why; --resume goes on from the last checkpoint"
        left = SpecError.of(LEFT, message, help=help)
        left.speaks = _is_first_to_say(left)
        raise left from None
    finally:
        idist.finalize()


def _was_left(error: RuntimeError) -> bool:
    """Whether the error is that of a process whose companions are gone."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _is_first_to_say(error: SpecError) -> bool:
    """Whether no other process has said the same; that it was left alone, a process says only if nobody said why."""
    try:
        store = dist.distributed_c10d._get_default_store()
        alone: bool = store.add("cnngraph", 1) == 1
        return alone if error.diagnostics[0].code == LEFT else bool(store.add(f"cnngraph: {error}", 1) == 1)
    except RuntimeError:  # the process that kept the store is gone, too
        return True
