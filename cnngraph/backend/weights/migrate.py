"""Carries out a migration plan: the tensors of the new network, and how far its outputs are from the old ones."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from cnngraph.backend.modules.build import lower
from cnngraph.backend.weights.files import Choices, WeightsFile
from cnngraph.backend.weights.load import renamed_tensors
from cnngraph.backend.weights.published import open_weights
from cnngraph.backend.weights.report import check_weights, refuse_misfit
from cnngraph.backend.weights.tables import Table
from cnngraph.diagnostics import SpecError
from cnngraph.elaborate.bases import base_names
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.graph.nodes import Ref
from cnngraph.migration import Claim, Options, Plan, TensorPlan, nothing_kept, plan
from cnngraph.migration.plan import Centre, Delta, Fill, FoldNorm, InputChannels, Multiply, Resize, Step, Take
from cnngraph.passes.tap import tapped

BATCH = 2
SEED = 20161115  # of the random inputs
MAX_ERROR = 1e-3  # of the largest value; rounding errors are far below, and a wrong plan far above
MAX_ERROR_NEARLY = 0.5

State = Mapping[str, Tensor]


@frozen
class Migration:
    """A plan that was carried out: the state_dict of the new network, and the measured differences."""

    plan: Plan
    state: State
    differences: tuple[Difference, ...]

    def to_dict(self) -> dict[str, Any]:
        """The plan as plain data, with the differences."""
        facts: dict[str, Any] = self.plan.to_dict()
        measured = {item.claim.output: item for item in self.differences}
        for output in facts["outputs"]:
            if found := measured.get(output["output"]):
                output |= {"difference": found.difference, "magnitude": found.magnitude}
        return facts


@frozen
class Difference:
    """The largest difference of a tensor of the two networks on random inputs, and the largest value of the old one.

    `problem` says why it could not be measured.
    """

    claim: Claim
    difference: float
    magnitude: float
    problem: str = ""

    @property
    def is_small(self) -> bool:
        """Whether rounding, or gates that are nearly open, explain the difference."""
        limit = MAX_ERROR_NEARLY if self.claim.nearly else MAX_ERROR
        return bool(self.problem) or self.difference <= limit * max(self.magnitude, 1e-6)

    def __str__(self) -> str:
        if self.problem:
            return f"not measured: {self.problem}"
        return f"maximum difference {self.difference:.2g}, where the largest value is {self.magnitude:.2g}"


def migrate(weights: WeightsFile, old: Graph, new: Graph, options: Options | None = None, seed: int = 0) -> Migration:
    """Plan a migration, carry it out, and measure what is preserved. Raises SpecError (E704, E706, E707)."""
    planned = plan(old, new, options)
    tensors = old_tensors(weights, old)
    state = migrated_state(planned, new, tensors, seed)
    return Migration(planned, state, differences(planned, old, new, tensors, state))


def old_tensors(weights: WeightsFile, old: Graph) -> dict[str, Tensor]:
    """The weights of the old network in a file, by its keys. Raises SpecError (E704, E706) if they do not fit."""
    weights = weights.fitted(old.state, old.renames)
    report = check_weights(weights, old)
    if report.fresh:
        message = f"{report.file} does not fit {old.name}: {report.counted}, {', '.join(report.fresh_layers)} differ"
        raise SpecError.of("E706", message, help=f"name the network that {report.file} was trained with")
    refuse_misfit(report, old.name)
    tensors = renamed_tensors(weights, old.renames, report.loaded)
    counters = {key: torch.zeros((), dtype=torch.int64) for key in old.state if key not in tensors}
    return {key: tensors[key] if key in tensors else counters[key] for key in old.state}


def migrated_state(planned: Plan, new: Graph, tensors: State, seed: int = 0) -> dict[str, Tensor]:
    """The state_dict of the new network. Fresh tensors are drawn with the seed."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        initial = lower(new).state_dict()
    state = {tensor.key: _tensor(tensor, tensors, initial[tensor.key]) for tensor in planned.tensors}
    return {key: state[key].to(initial[key].dtype) if key in state else initial[key] for key in new.state}


def differences(planned: Plan, old: Graph, new: Graph, tensors: State, state: State) -> tuple[Difference, ...]:
    """Compare both networks in eval mode on random inputs, for every claim.

    Raises SpecError (E707) if a tensor that should be preserved differs by more than rounding errors.
    """
    claims = planned.compared
    if not claims:
        return ()
    images = [
        torch.randn(BATCH, *shape, generator=torch.Generator().manual_seed(SEED + number))
        for number, shape in enumerate(new.input_shapes.values())
    ]
    if any(claim.grey for claim in claims):
        images = [image.mean(1, keepdim=True).expand_as(image) if image.dim() > 2 else image for image in images]
    theirs = [_as_read(image, shape) for image, shape in zip(images, old.input_shapes.values(), strict=False)]
    ours = _values(new, state, images, [claim.new for claim in claims])
    try:
        expected = _values(old, tensors, theirs, [claim.old for claim in claims])
    except (RuntimeError, ValueError):  # it may need the size of its own input
        problem = "the old network does not run at the new input size"
        return tuple(Difference(claim, math.nan, math.nan, problem) for claim in claims)
    found = tuple(_difference(*each, new) for each in zip(claims, expected, ours, strict=True))
    for each in found:
        if not each.is_small:
            message = f"`{each.claim.at}` should be preserved, but the networks differ: {each}"
            raise SpecError.of("E707", message, help="report this as a bug, with both specs")
    return found


def _as_read(image: Tensor, shape: tuple[int, ...]) -> Tensor:
    """An input of the new network for the old one, which may have another number of channels."""
    if image.dim() < 3 or image.shape[1] == shape[0]:
        return image
    return image[:, :1].expand(-1, shape[0], *image.shape[2:])


def _difference(claim: Claim, old: Tensor, new: Tensor, graph: Graph) -> Difference:
    if claim.channels is not None and claim.new is not None:
        type_ = graph.type_of(claim.new)
        axis = type_.axes.index("C") + 1 if "C" in type_.axes else 1
        old = old.index_select(axis, torch.tensor(claim.channels))
    found = Difference(claim, float((old - new).abs().max()), float(old.abs().max()))
    return found if math.isfinite(found.difference) else replace(found, problem="the values overflow")


def _values(graph: Graph, state: State, images: list[Tensor], refs: list[Ref | None]) -> list[Tensor]:
    """Tensors of a network in eval mode."""
    outputs = {f"t{number}": ref for number, ref in enumerate(refs) if ref is not None}
    with torch.device("meta"):
        model: nn.Module = lower(replace(tapped(graph, outputs), size_rules=None))
    model.load_state_dict(
        {key: tensor.float() if tensor.is_floating_point() else tensor for key, tensor in state.items()}, assign=True
    )
    model.eval()
    with torch.no_grad():
        found = model(*images)
    return [found] if isinstance(found, Tensor) else list(found)


def _tensor(plan: TensorPlan, old: State, initial: Tensor) -> Tensor:
    """A tensor of the new network."""
    match plan.initial:
        case Fill(value):
            return torch.full(plan.shape, value, dtype=initial.dtype)
        case Delta(groups):
            return _delta(plan.shape, groups)
    if plan.source is None:
        return initial
    tensor = old.get(plan.source, torch.zeros(()))
    for step in plan.steps:
        tensor = _stepped(tensor, step, plan, old)
    return tensor.reshape(plan.shape).clone()


def _stepped(tensor: Tensor, step: Step, plan: TensorPlan, old: State) -> Tensor:
    match step:
        case Take(axis, index, shares):
            taken = tensor.index_select(axis, torch.tensor(index))
            if shares:
                shape = [len(shares) if at == axis else 1 for at in range(taken.dim())]
                taken = taken * torch.tensor(shares, dtype=torch.float64).view(shape).to(taken.dtype)
            return taken
        case Centre(kernel):
            return _centred(tensor, kernel)
        case InputChannels(mode, count):
            return _input_channels(tensor, mode, count)
        case Multiply(factor):
            return tensor * factor
        case FoldNorm():
            return _folded(tensor, step, plan, old)
        case Resize(axis, extra):
            return _resized(tensor, axis, extra, plan.shape)


def _delta(shape: tuple[int, ...], groups: int) -> Tensor:
    """A kernel that returns its input: 1 in the centre, from each channel to itself."""
    weight = torch.zeros(shape)
    centre = tuple(size // 2 for size in shape[2:])
    for channel in range(shape[0]):
        weight[(channel, channel % shape[1] if groups > 1 else channel, *centre)] = 1.0
    return weight


def _centred(tensor: Tensor, kernel: tuple[int, ...]) -> Tensor:
    """Zeros around a kernel, or its centre."""
    margins = [new - old for new, old in zip(kernel, tensor.shape[-2:], strict=True)]
    pads = [(margin // 2, margin - margin // 2) for margin in margins]
    return F.pad(tensor, [*pads[1], *pads[0]])


def _input_channels(tensor: Tensor, mode: str, count: int) -> Tensor:
    """Other input channels, as timm adapts them: `sum` computes the same as before on equal channels."""
    channels = tensor.shape[1]
    if mode == "cycle":
        return tensor[:, [channel % channels for channel in range(count)]] * _cycle_scale(channels, count)
    total = tensor.sum(1, keepdim=True) / count if mode == "sum" else tensor.mean(1, keepdim=True)
    return total.expand(-1, count, *tensor.shape[2:])


def _cycle_scale(channels: int, count: int) -> float:
    return channels / count


def _folded(tensor: Tensor, step: FoldNorm, plan: TensorPlan, old: State) -> Tensor:
    """The weight or the bias of a convolution with the batch norm after it."""
    weight, bias, mean, var = (
        old[f"{step.norm}.{name}"].double() for name in ("weight", "bias", "running_mean", "running_var")
    )
    factor = weight / torch.sqrt(var + step.eps)
    if plan.key.endswith(".weight"):
        return (tensor.double() * factor.view(-1, *[1] * (tensor.dim() - 1))).to(tensor.dtype)
    before = tensor.double() if step.has_bias else torch.zeros_like(mean)
    return (bias + (before - mean) * factor).float()


def _resized(tensor: Tensor, axis: int, extra: int, shape: tuple[int, ...]) -> Tensor:
    """A grid of positions of another size."""
    if axis < 0:
        return F.interpolate(tensor[None].float(), size=shape[1:], mode="bilinear", align_corners=False)[0]
    moved = tensor.movedim(axis, 0).float()
    first, grid = moved[:extra], moved[extra:]
    side, new_side = (round((size - extra) ** 0.5) for size in (moved.shape[0], shape[axis]))
    flat = grid.reshape(side, side, -1).permute(2, 0, 1)[None]
    resized = F.interpolate(flat, size=(new_side, new_side), mode="bilinear", align_corners=False)
    grid = resized[0].permute(1, 2, 0).reshape(new_side * new_side, *moved.shape[1:])
    return torch.cat([first, grid]).movedim(0, axis)


class MigratedWeights(WeightsFile):
    """The weights of another network, adapted to this one; those that the plan leaves fresh are not in it."""

    in_order = True
    is_computed = True

    def __init__(self, weights: WeightsFile, migration: Migration) -> None:
        self.migration = migration
        tensors = migration.plan.tensors
        fresh = {tensor.key for tensor in tensors if tensor.kind == "fresh" and tensor.initial is None}
        self._state = {key: tensor for key, tensor in migration.state.items() if key not in fresh}
        table = Table((), {key: tuple(tensor.shape) for key, tensor in self._state.items()})
        super().__init__(weights.path, f"{weights.name}, migrated from {migration.plan.old}", [table])
        self.choices = Choices(fresh=tuple(key for key in migration.state if key in fresh), why_fresh="as planned")

    @classmethod
    def open(cls, source: str | Path, old: Graph, new: Graph, options: Options) -> MigratedWeights:
        """The weights of `old` in a file, or published ones, for `new`. Raises SpecError (E704 to E707)."""
        weights = open_weights(source, base_names(old))
        done = migrate(weights, old, new, options)
        if not done.plan.kept:
            raise SpecError([nothing_kept(done.plan)])
        return cls(weights, done)

    @property
    def statements(self) -> tuple[str, ...]:
        """What is preserved, and how far it was measured."""
        measured = {item.claim: f" ({item})" for item in self.migration.differences}
        return tuple(f"{claim}{measured.get(claim, '')}" for claim in self.migration.plan.claims)

    def renames(self, given: Mapping[str, str]) -> Mapping[str, str]:
        """None: the keys are those of the network."""
        return {}

    def stored(self) -> State:
        """All weights."""
        return self._state
