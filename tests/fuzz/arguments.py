"""Random arguments of an op for given input types, mostly valid."""

from __future__ import annotations

import random
from typing import Any

from cnngraph.fields import Bool, Choice, Either, Float, Int, Kind, ListOf, Optional, Pair, fields_of
from cnngraph.ops.kinds import Axis, Factors, Index, OutputSize, Positive, Sides
from cnngraph.ops.op import Op
from cnngraph.tensor_type import TensorType

OFTEN_DEFAULT = 0.6
FLOATS = [0.5, 1, 0.25, 2, 0.1, 1e-3, 0]


def draw_arguments(rng: random.Random, cls: type[Op], types: tuple[TensorType, ...]) -> dict[str, Any]:
    """Parameters as values read from YAML."""
    special = {"reshape": _reshape, "permute": _permute, "split": _split, "parameter": _parameter}.get(cls.name)
    if special is not None and types:
        return special(rng, types[0])
    arguments: dict[str, Any] = {}
    for name, known in fields_of(cls).items():
        if known.required or rng.random() > OFTEN_DEFAULT:
            arguments[name] = _value(rng, name, known.kind, types)
    if cls.input_names == ("map", "like"):
        _give_size_once(rng, cls, arguments, len(types))
    return arguments


def _give_size_once(rng: random.Random, cls: type[Op], arguments: dict[str, Any], inputs: int) -> None:
    """An op that resizes a map takes the size from its second input, or from one parameter."""
    known = fields_of(cls)
    names = [name for name in ("size", "scale_factor", "padding", "output") if name in known]
    for name in names:
        arguments.pop(name, None)
    if inputs == 1:
        name = rng.choice(names)
        kind = known[name].kind
        arguments[name] = _of_kind(rng, kind.kind if isinstance(kind, Optional) else kind)


def divisors(number: int) -> list[int]:
    """The divisors of a number."""
    return [index for index in range(1, number + 1) if number % index == 0]


def _value(rng: random.Random, name: str, kind: Kind, types: tuple[TensorType, ...]) -> Any:
    channels = types[0].channels if types else 1
    if name in ("groups", "num_groups", "chunks"):
        return rng.choice(divisors(channels))
    if name == "num_parameters":
        return rng.choice([1, channels])
    if name == "out":
        return rng.choice([1, 2, 3, 4, 6, 8, channels])
    if name in ("kernel", "block") and rng.random() < 0.5:
        return rng.choice([1, 3])
    if name in ("factor", "shift") and rng.random() < 0.3:
        return [rng.choice(FLOATS[:6]) for _ in range(channels)]
    return _of_kind(rng, kind)


def _of_kind(rng: random.Random, kind: Kind) -> Any:
    match kind:
        case Either():
            return _of_kind(rng, rng.choice(kind.kinds))
        case Optional():
            return None if rng.random() < 0.2 else _of_kind(rng, kind.kind)
        case Choice():
            return rng.choice(kind.options)
        case Bool():
            return rng.random() < 0.5
        case Int():
            return rng.randint(kind.minimum, kind.minimum + 2) if kind.minimum >= 0 else rng.randint(-2, 3)
        case Index():
            return rng.randint(-3, 3)
        case Pair():
            low = kind.minimum
            return rng.choice([rng.randint(low, low + 2), [rng.randint(low, low + 2), rng.randint(low, low + 2)]])
        case Float():
            return rng.choice([number for number in FLOATS if kind.minimum <= number <= kind.maximum])
        case Positive():
            return rng.choice(FLOATS[:6])
        case Axis():
            return rng.choice(["channels", "height", "width", 1, 2, 3, -1])
        case Sides():
            return rng.choice([1, 0, [1, 2], [1, 0, 2, 1], [-1, 0, 0, 1], 2])
        case OutputSize():
            return rng.choice([1, 2, [1, 3], [None, 1], 4])
        case Factors():
            return rng.choice([2, 0.5, 1.5, [1, 2]])
        case ListOf():
            return [_of_kind(rng, kind.item) for _ in range(rng.randint(kind.least, kind.least + 1))]
    return {"normal": {"std": 0.1}} if "torch.nn.init" in kind.describe() else 1


def _reshape(rng: random.Random, tensor: TensorType) -> dict[str, Any]:
    left, shape = tensor.count, []
    for _ in range(rng.choice([0, 1, 2, 2, 2])):
        shape.append(rng.choice(divisors(left)))
        left //= shape[-1]
    shape.append(rng.choice([left, left, -1]))
    arguments: dict[str, Any] = {"shape": shape}
    if rng.random() < 0.3:
        arguments["axes"] = "".join(rng.sample({1: "C", 2: "CW", 3: "CHW"}[len(shape)], len(shape)))
    return arguments


def _permute(rng: random.Random, tensor: TensorType) -> dict[str, Any]:
    return {"dims": [0, *rng.sample(range(1, tensor.rank + 1), tensor.rank)]}


def _split(rng: random.Random, tensor: TensorType) -> dict[str, Any]:
    axis = rng.randrange(tensor.rank) if tensor.rank else 0
    size = tensor.sizes[axis] if tensor.rank else 1
    first = rng.randint(1, size)
    sizes: Any = rng.choice([first, [first, size - first] if first < size else [size]])
    return {"sizes": sizes, "dim": axis + 1} if axis or rng.random() < 0.2 else {"sizes": sizes}


def _parameter(rng: random.Random, tensor: TensorType) -> dict[str, Any]:
    channels_first = [tensor.channels, *[1] * (tensor.rank - 1)]
    shape = rng.choice([[], list(tensor.sizes), channels_first])
    return {"shape": shape, "init": rng.choice([0, 1, 0.5, {"normal": {"std": 0.1}}])}
