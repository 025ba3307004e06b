"""Training in several processes: a full replica in each (DDP), or each block's weights sharded over them (FSDP)."""

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
    """Wrap a network in DDP: gradients are averaged over the processes, and the first process's weights are used."""
    return DistributedDataParallel(
        model, device_ids=[device] if device.type == "cuda" else None, gradient_as_bucket_view=True
    )


def shard(model: nn.Module, device: torch.device, world: World) -> None:
    """Shard a network's weights over the processes; those of a block are gathered while it computes."""
    mesh = init_device_mesh(device.type, (world.size,))
    for block in blocks_of(model):
        fully_shard(block, mesh=mesh)
    fully_shard(model, mesh=mesh)


def blocks_of(model: nn.Module) -> Iterator[nn.Module]:
    """The outermost modules that have children and are neither Sequential nor ModuleList."""
    for child in model.children():
        if isinstance(child, nn.Sequential | nn.ModuleList):
            yield from blocks_of(child)
        elif next(child.children(), None) is not None:
            yield child


def gradient_sync(model: nn.Module, enabled: bool) -> AbstractContextManager[None]:
    """A context whose backward passes exchange gradients between processes only if `enabled`."""
    if isinstance(model, FSDPModule):
        model.set_requires_gradient_sync(enabled)
    elif isinstance(model, DistributedDataParallel) and not enabled:
        no_sync: AbstractContextManager[None] = model.no_sync()
        return no_sync
    return nullcontext()


def unshard(state: Any) -> Any:
    """A state with full tensors instead of sharded ones. All processes must call it together."""
    if isinstance(state, DTensor):
        return state.full_tensor()
    if isinstance(state, Mapping):
        return {key: unshard(value) for key, value in state.items()}
    if isinstance(state, list | tuple):
        return type(state)(unshard(value) for value in state)
    return state


def shard_like(tensor: Tensor, current: Tensor) -> Tensor:
    """A full tensor sharded as `current` is, or as it is if `current` is not sharded."""
    if not isinstance(current, DTensor) or tensor.shape != current.shape:
        return tensor
    return distribute_tensor(tensor.to(current.device, current.dtype), current.device_mesh, current.placements)


def load_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load full weights into a network, sharded or not."""
    current = model.state_dict()
    model.load_state_dict({key: shard_like(tensor, current[key]) for key, tensor in weights.items()})


def load_optimizer_state(optimizer: torch.optim.Optimizer, state: Mapping[str, Any]) -> None:
    """Load a full state dict into an optimizer, whose parameters may be sharded."""
    parameters = [parameter for group in optimizer.param_groups for parameter in group["params"]]
    sharded = {
        number: {
            key: shard_like(value, parameters[number]) if isinstance(value, Tensor) else value
            for key, value in values.items()
        }
        for number, values in state["state"].items()
    }
    optimizer.load_state_dict({**state, "state": sharded})
