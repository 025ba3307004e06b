"""A network in several processes: whole in each of them (DDP), or each with a part of every block's weights (FSDP)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FSDPModule, fully_shard
from torch.distributed.tensor import DTensor, distribute_tensor
from torch.nn.parallel import DistributedDataParallel

from cnngraph.train.world import World


def replicate(model: nn.Module, device: torch.device) -> nn.Module:
    """The network whose gradients are the means of all processes'; its weights become the leader's."""
    return DistributedDataParallel(
        model, device_ids=[device] if device.type == "cuda" else None, gradient_as_bucket_view=True
    )


def shard(model: nn.Module, device: torch.device, world: World) -> None:
    """Leave each process its part of the weights; those of a block come together while it computes.

    The blocks are the modules of the network with others in them; of lists and sequences, those in these.
    """
    mesh = init_device_mesh(device.type, (world.size,))
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def blocks_of(model: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules with others in them that are neither lists nor sequences."""
    for child in model.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from blocks_of(child)
        elif next(child.children(), None) is not None:
            yield child


def without_exchange(forward: nn.Module, last: bool) -> AbstractContextManager[None]:
    """While it is entered, gradients are gathered and not exchanged, but for the `last` batch of a step."""
    if isinstance(forward, FSDPModule):
        forward.set_requires_gradient_sync(last)
    elif isinstance(forward, DistributedDataParallel) and not last:
        exchange: AbstractContextManager[None] = forward.no_sync()
        return exchange
    return nullcontext()


def whole(value: Any) -> Any:
    """A state with its sharded tensors made whole. All processes ask for it together."""
    if isinstance(value, DTensor):
        return value.full_tensor()
    if isinstance(value, Mapping):
        return {key: whole(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return type(value)(whole(each) for each in value)
    return value


def as_held(tensor: Tensor, own: Tensor) -> Tensor:
    """A whole tensor as its `own` one is held, sharded or not."""
    if not isinstance(own, DTensor) or tensor.shape != own.shape:
        return tensor
    return distribute_tensor(tensor.to(own.device, own.dtype), own.device_mesh, own.placements)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Let a network have these whole weights, sharded or not."""
    own = model.state_dict()
    model.load_state_dict({key: as_held(each, own[key]) for key, each in weights.items()})


def load_optimizer(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Let an optimizer have this whole state."""
    parameters = [each for group in optimizer.param_groups for each in group["params"]]
    held = {
        number: {
            key: as_held(each, parameters[number]) if isinstance(each, Tensor) else each for key, each in of.items()
        }
        for number, of in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": held})
