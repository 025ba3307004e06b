"""The processes that train one network together, started by torchrun; usually there is only one.

Each process trains on its share of every batch. Counts are summed over all processes, decisions are made by all of them
together, and the first process, the leader, writes the files.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar

import ignite.distributed as idist
import torch
import torch.distributed as dist
from torch import Tensor

from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.launch import is_launched

T = TypeVar("T")

PEER_ENDED = "E635"
MIN_IMAGES_PER_PROCESS = 2  # of a batch: batch norm cannot be trained on one image


class Share(NamedTuple):
    """A process's share of a batch: the positions of its images, and the weight of its mean loss in the average.

    A batch that is too small to be shared is trained on by every process, and only one of them counts it (`counted`).
    """

    positions: slice
    weight: float
    counted: bool


WHOLE = Share(slice(None), 1.0, True)


@frozen(slots=False, eq=False)
class World:
    """Process `rank` of `size`. `control` is the CPU process group for decisions; None if there is one process."""

    rank: int = 0
    size: int = 1
    control: dist.ProcessGroup | None = None

    @property
    def leads(self) -> bool:
        """Whether this process is the leader, which writes the files."""
        return self.rank == 0

    def share(self, count: int) -> Share:
        """This process's share of a batch of `count` images. Shares differ by at most one image."""
        if self.size == 1:
            return WHOLE
        if count < MIN_IMAGES_PER_PROCESS * self.size:
            return Share(slice(0, count), 1.0, self.leads)
        start, stop = (count * rank // self.size for rank in (self.rank, self.rank + 1))
        return Share(slice(start, stop), (stop - start) * self.size / count, True)

    def sum(self, numbers: Tensor) -> Tensor:
        """Sum a tensor over all processes."""
        if self.control is None:
            return numbers
        total: Tensor = idist.all_reduce(numbers.clone())  # type: ignore[assignment]
        return total

    def max(self, *values: int) -> tuple[int, ...]:
        """The maximum of each value (a boolean, or an integer up to 255) over all processes."""
        if self.control is None:
            return values
        maxima = torch.tensor(values, dtype=torch.uint8)
        dist.all_reduce(maxima, dist.ReduceOp.MAX, group=self.control)
        return tuple(maxima.tolist())

    def broadcast(self, value: T | None) -> T:
        """The leader's value, in all processes."""
        values: list[Any] = [value]
        if self.control is not None:
            dist.broadcast_object_list(values, src=0, group=self.control)
        found: T = values[0]
        return found

    def gather(self, value: T) -> list[T]:
        """The values of all processes, by rank."""
        if self.control is None:
            return [value]
        values: list[Any] = [None] * self.size
        dist.all_gather_object(values, value, group=self.control)
        return values

    def broadcast_tensors(self, tensors: Iterable[Tensor]) -> None:
        """Overwrite tensors that differ between processes, such as running statistics, with the leader's."""
        if self.control is not None:
            for tensor in tensors:
                dist.broadcast(tensor, src=0)

    def barrier(self) -> None:
        """Wait until all processes have called this method."""
        if self.control is not None:
            dist.barrier(group=self.control)


SINGLE_PROCESS = World()


@contextmanager
def process_group(device: torch.device) -> Iterator[World]:
    """Join the process group for training on a device: NCCL for GPUs, gloo for CPUs.

    Raises SpecError (E635) if another process ended unexpectedly.
    """
    if not is_launched():
        yield SINGLE_PROCESS
        return
    idist.initialize("nccl" if device.type == "cuda" else "gloo")
    try:
        control = dist.new_group(backend="gloo")
        assert isinstance(control, dist.ProcessGroup)
        yield World(idist.get_rank(), idist.get_world_size(), control)
    except SpecError as error:
        error.speaks = _is_first_report(error)
        raise
    except RuntimeError as error:
        if not _peer_ended(error):
            raise
        message = "another process of this run ended, so this one ends too"
        help = "see that process's error message for the cause; resume from the last checkpoint with `--resume`"
        ended = SpecError.of(PEER_ENDED, message, help=help)
        ended.speaks = _is_first_report(ended)
        raise ended from None
    finally:
        idist.finalize()


def _peer_ended(error: RuntimeError) -> bool:
    """Whether the error is that of a process whose peers have ended."""
    return isinstance(error, dist.DistError) or "gloo" in str(error)


def _is_first_report(error: SpecError) -> bool:
    """Whether no other process has reported the same error; E635 is reported only if no process reported a cause."""
    try:
        store = dist.distributed_c10d._get_default_store()
        is_first: bool = store.add("cnngraph", 1) == 1
        return is_first if error.diagnostics[0].code == PEER_ENDED else bool(store.add(f"cnngraph: {error}", 1) == 1)
    except RuntimeError:  # the process that has the store ended as well
        return True
