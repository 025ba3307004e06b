"""How the weights of a layer become those of the corresponding layer of another network.

A layer that gets wider repeats channels, and the layers that read them divide their weights among the copies (Chen et
al. 2016, Net2Net), in unequal shares so that the copies can learn different things.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from math import isqrt

from cnngraph.frozen import frozen
from cnngraph.migration.modules import NORMS, Module
from cnngraph.migration.plan import Centre, InputChannels, Resize, Step, Take, sizes
from cnngraph.ops.conv import Conv
from cnngraph.ops.shapes import resolve_padding

CONVS = frozenset({"conv", "conv_transpose", "linear"})
PER_CHANNEL = NORMS | {"prelu"}
MAX_SCALE = 100  # a layer is made at most this many times wider by repeating channels

Index = tuple[int, ...] | None


@dataclass(slots=True)
class Adaptation:
    """The steps for each tensor of a module, the channels of its output, and whether it computes the same.

    `possible` is False if the weights cannot be used.
    """

    steps: dict[str, list[Step]] = field(default_factory=dict)
    origin: Index = None
    exact: bool = True
    possible: bool = True
    grey: bool = False
    notes: list[str] = field(default_factory=list)

    def add(self, names: tuple[str, ...], step: Step) -> None:
        """Add a step for some tensors."""
        for name in names:
            self.steps.setdefault(name, []).append(step)


@frozen
class Inputs:
    """What a module reads: the channels of the old tensor, if that is known, and whether it is the network's input."""

    known: bool
    origin: Index = None
    is_input: bool = False
    channels: str = ""  # how input channels are adapted


def adapt(old: Module, new: Module, inputs: Inputs, rows: Index = None) -> Adaptation:
    """The adaptation of a module. `rows` are the outputs to keep of a classifier with other classes."""
    if new.op in CONVS:
        return _conv(old, new, inputs, rows)
    if new.op == "parameter":
        return _parameter(old, new)
    if new.op in PER_CHANNEL:
        return _per_channel(old, new, inputs)
    result = Adaptation(possible=old.shapes == new.shapes and (new.op != "constant" or old.operation == new.operation))
    result.exact = result.possible and inputs.origin is None
    return result


def is_possible(old: Module, new: Module) -> bool:
    """Whether the weights of a module can be adapted to another one, whatever it reads."""
    return old.family == new.family and adapt(old, new, Inputs(known=False)).possible


def _conv(old: Module, new: Module, inputs: Inputs, rows: Index) -> Adaptation:
    result = Adaptation()
    theirs, ours = old.shapes["weight"], new.shapes["weight"]
    out, read = (1, 0) if new.op == "conv_transpose" else (0, 1)
    old_groups, new_groups = (getattr(module.operation, "groups", 1) for module in (old, new))
    if _is_depthwise(old) and _is_depthwise(new):
        return _depthwise(old, new, inputs)
    if (old_groups, new_groups) != (1, 1):
        result.possible = (old_groups, *theirs[:2]) == (new_groups, *ours[:2])
        result.exact = inputs.origin is None
        if result.possible:
            _kernel(old, new, result)
        return result
    _columns(theirs[read], ours[read], read, inputs, result)
    if result.possible:
        _rows(old, new, out, rows, result)
        _kernel(old, new, result)
    return result


def _columns(theirs: int, ours: int, axis: int, inputs: Inputs, result: Adaptation) -> None:
    """Adapt a weight to other input channels."""
    if inputs.known and inputs.is_input and theirs != ours:
        mode = inputs.channels or ("sum" if ours == 1 else "cycle")
        result.add(("weight",), InputChannels(mode, ours))
        result.grey = result.exact = mode == "sum" or (mode == "cycle" and ours % theirs == 0)
        result.notes.append(f"input channels {theirs} → {ours} ({mode})")
        return
    origin = inputs.origin
    if origin is None and theirs != ours:
        if not _is_reasonable(theirs, ours) or inputs.known:
            result.possible = False
            return
        origin, result.exact = resized(theirs, ours), False
    if origin is None:
        return
    if len(origin) != ours or max(origin) >= theirs:
        result.possible = False
        return
    result.add(("weight",), Take(axis, origin, shares(origin)))
    if len(set(origin)) < theirs:
        result.exact = False
        result.notes.append(f"reads {len(set(origin)):,} of {theirs:,} channels")
    elif ours != theirs:
        result.notes.append(f"inputs {theirs:,} → {ours:,}")


def _rows(old: Module, new: Module, axis: int, rows: Index, result: Adaptation) -> None:
    """Adapt a weight and a bias to other output channels."""
    theirs, ours = old.shapes["weight"][axis], new.shapes["weight"][axis]
    if rows is None:
        if theirs == ours:
            return
        if not _is_reasonable(theirs, ours):
            result.possible = False
            return
        rows = resized(theirs, ours)
        result.notes.append(f"{'widened' if ours > theirs else 'narrowed'} {theirs:,} → {ours:,}")
    else:
        result.notes.append(f"{len(rows):,} of {theirs:,} outputs")
    result.origin = rows
    result.add(("weight",), Take(axis, rows))
    result.add(("bias",), Take(0, rows))


def _depthwise(old: Module, new: Module, inputs: Inputs) -> Adaptation:
    result = Adaptation(origin=inputs.origin)
    theirs, ours = old.shapes["weight"][0], new.shapes["weight"][0]
    if inputs.origin is None and theirs != ours:
        if inputs.known or not _is_reasonable(theirs, ours):
            return Adaptation(possible=False)
        result.origin, result.exact = resized(theirs, ours), False
    if result.origin is not None:
        if len(result.origin) != ours or max(result.origin) >= theirs:
            return Adaptation(possible=False)
        result.add(("weight", "bias"), Take(0, result.origin))
        if theirs != ours:
            result.notes.append(f"{'widened' if ours > theirs else 'narrowed'} {theirs:,} → {ours:,}")
    _kernel(old, new, result)
    return result


def _is_depthwise(module: Module) -> bool:
    groups: int = getattr(module.operation, "groups", 1)
    return module.op == "conv" and groups > 1 and module.shapes["weight"][:2] == (groups, 1)


def _kernel(old: Module, new: Module, result: Adaptation) -> None:
    """Centre a kernel of another size. Larger kernels compute the same if the padding grows with them."""
    one, two = old.operation, new.operation
    if not (isinstance(one, Conv) and isinstance(two, Conv)):
        result.possible &= old.shapes["weight"][2:] == new.shapes["weight"][2:]
        return
    margins = [new_size - old_size for old_size, new_size in zip(one.kernel, two.kernel, strict=True)]
    paddings = [resolve_padding(op.padding, op.kernel, op.dilation) for op in (one, two)]
    pairs = zip(*paddings, margins, two.dilation, strict=True)
    same_place = all(2 * (after - before) == margin * dilation for before, after, margin, dilation in pairs)
    if one.padding == "same" and any(size % 2 == 0 for size in (*one.kernel, *two.kernel)):
        same_place = one.kernel == two.kernel
    result.exact &= same_place and min(margins) >= 0 and (not any(margins) or two.padding_mode == "zeros")
    if any(margins):
        result.add(("weight",), Centre(two.kernel))
        grows = "" if same_place else ", without more padding"
        result.notes.append(f"kernel {sizes(one.kernel)} → {sizes(two.kernel)}, centred{grows}")


def _per_channel(old: Module, new: Module, inputs: Inputs) -> Adaptation:
    result = Adaptation(origin=inputs.origin)
    names = [name for name, shape in new.shapes.items() if len(shape) == 1 and len(old.shapes.get(name, ())) == 1]
    theirs, ours = (next((module.shapes[name][0] for name in names), 0) for module in (old, new))
    if new.op == "prelu" and ours == theirs == 1:
        return result
    origin = inputs.origin
    if origin is None and theirs != ours:
        if inputs.known or not _is_reasonable(theirs, ours):
            return Adaptation(possible=False)
        origin, result.exact = resized(theirs, ours), False
    if origin is None:
        return result
    if names and (len(origin) != ours or max(origin) >= theirs):
        return Adaptation(possible=False)
    result.origin = origin
    for name in names:
        result.add((name,), Take(0, origin))
    if theirs != ours:
        result.notes.append(f"{'widened' if ours > theirs else 'narrowed'} {theirs:,} → {ours:,}")
    if new.op in (
        "layer_norm",
        "rms_norm",
    ):  # mean and variance stay the same if every channel is repeated as often as the others
        result.exact &= len(set(origin)) == theirs and len(set(Counter(origin).values())) == 1
    elif new.op == "group_norm":
        result.exact = False
    return result


def _parameter(old: Module, new: Module) -> Adaptation:
    """A free parameter: the same, per channel (LayerScale), or a grid of positions."""
    theirs, ours = old.shapes[""], new.shapes[""]
    if theirs == ours:
        return Adaptation()
    if len(theirs) != len(ours):
        return Adaptation(possible=False)
    different = [axis for axis in range(len(ours)) if theirs[axis] != ours[axis]]
    note = f"{sizes(theirs)} → {sizes(ours)}"
    if len(theirs) == 3 and different in ([1], [2], [1, 2]) and min(*theirs[1:], *ours[1:]) > 1 and theirs[0] > 1:
        return Adaptation({"": [Resize(-1, 0)]}, exact=False, notes=[f"{note}, bilinear"])
    if len(different) != 1:
        return Adaptation(possible=False)
    (axis,) = different
    if all(size == 1 for at, size in enumerate(ours) if at != axis):
        if not _is_reasonable(theirs[axis], ours[axis]):
            return Adaptation(possible=False)
        index = resized(theirs[axis], ours[axis])
        return Adaptation({"": [Take(axis, index)]}, origin=index, notes=[note])
    for extra in (0, 1):
        if all(size > extra + 1 and isqrt(size - extra) ** 2 == size - extra for size in (theirs[axis], ours[axis])):
            return Adaptation({"": [Resize(axis, extra)]}, exact=False, notes=[f"{note}, bilinear"])
    return Adaptation(possible=False)


def resized(old: int, new: int) -> tuple[int, ...]:
    """The old channel of each new one: the first ones, then, if there are more, all again from the first."""
    return tuple(channel % old for channel in range(new))


def shares(origin: tuple[int, ...]) -> tuple[float, ...]:
    """The share of each copy of a channel: 1, or 1/3 and 2/3, or 1/6, 2/6 and 3/6; () if no channel is repeated."""
    counts = Counter(origin)
    if max(counts.values()) == 1:
        return ()
    seen: Counter[int] = Counter()
    found = []
    for channel in origin:
        seen[channel] += 1
        copies = counts[channel]
        found.append(2 * seen[channel] / (copies * (copies + 1)))
    return tuple(found)


def _is_reasonable(old: int, new: int) -> bool:
    return new <= MAX_SCALE * old
