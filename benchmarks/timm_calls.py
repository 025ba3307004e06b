"""What a network of timm calls: the functions of a forward pass on the meta device, each with the class that calls it.

A call is named by its function and what decides whether an op can say it: `interpolate[bicubic antialias]`, or
`conv2d (computed weight)`. Every tensor is known as computed from the images, from parameters alone, or from constants
alone. A function of parameters alone ends with `of parameters`. Functions of constants alone are not calls: what the
others read of them is a `constant`, or, where it is large, the functions that made it, with `for a large constant`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from enum import IntEnum
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.modules.module import register_module_forward_hook, register_module_forward_pre_hook
from torch.overrides import TorchFunctionMode, resolve_name

LARGE = 4096  # numbers in a constant that one still writes into a file

Call = tuple[str, str]  # the class of the module, the function


class Origin(IntEnum):
    """What a tensor is computed from; of several, the highest counts."""

    CONSTANT = 0
    PARAMETERS = 1
    IMAGES = 2


# Functions that give no tensor, or the same numbers in another form.
NEUTRAL = {
    "size",
    "dim",
    "ndim",
    "shape",
    "dtype",
    "device",
    "layout",
    "is_cuda",
    "numel",
    "stride",
    "is_contiguous",
    "is_floating_point",
    "is_complex",
    "is_nested",
    "requires_grad",
    "requires_grad_",
    "grad",
    "grad_fn",
    "data",
    "names",
    "len",
    "hash",
    "repr",
    "format",
    "index",
    "deepcopy",
    "detach",
    "clone",
    "contiguous",
    "to",
    "float",
    "double",
    "half",
    "bfloat16",
    "type",
    "type_as",
    "cuda",
    "cpu",
    "get_device",
    "is_meta",
    "is_leaf",
    "is_sparse",
    "is_quantized",
    "broadcast_shapes",
}


def function_name(function: Callable[..., Any]) -> str:
    """The bare name: `add` for torch.add, Tensor.add_, `+`, `+=` and its reflection."""
    full: str = resolve_name(function) or getattr(function, "__name__", repr(function))
    path = [part for part in full.split(".") if part not in ("__get__", "__set__", "__call__", "__func__")]
    name = path[-1]
    if name.startswith("__") and name.endswith("__"):
        name = name[2:-2]
        if name[:1] in "ri" and name[1:] in ARITHMETIC:
            name = name[1:]
    return ALIASES.get(name.rstrip("_"), name.rstrip("_"))


ARITHMETIC = {"add", "sub", "mul", "div", "truediv", "floordiv", "pow", "matmul", "mod", "and", "or", "xor"}
ALIASES = {
    "truediv": "div",
    "true_divide": "div",
    "divide": "div",
    "multiply": "mul",
    "subtract": "sub",
    "rsub": "sub",
    "concat": "cat",
    "concatenate": "cat",
    "floordiv": "floor_divide",
    "clip": "clamp",
    "clamp_min": "clamp",
    "clamp_max": "clamp",
    "swapaxes": "transpose",
    "swapdims": "transpose",
    "movedim": "permute",
    "moveaxis": "permute",
    "t": "transpose",
    "T": "transpose",
    "mT": "transpose",
    "view": "reshape",
    "view_as": "reshape",
    "reshape_as": "reshape",
    "unflatten": "reshape",
    "ravel": "flatten",
    "negative": "neg",
    "absolute": "abs",
    "special_expit": "sigmoid",
    "pixel_unshuffle": "pixel_unshuffle",
    "expand_as": "expand",
    "broadcast_to": "expand",
    "tile": "repeat",
    "tensor_split": "chunk",
    "hardtanh": "clamp",
    "mm": "matmul",
    "bmm": "matmul",
    "pad": "pad",
    "vector_norm": "norm",
    "linalg_vector_norm": "norm",
    "linalg_norm": "norm",
    "native_channel_shuffle": "channel_shuffle",
    "invert": "bitwise_not",
}


def tensors(values: Any) -> Iterator[Tensor]:
    """The tensors in (nested) arguments or results."""
    if isinstance(values, Tensor):
        yield values
    elif isinstance(values, (list, tuple)):
        for value in values:
            yield from tensors(value)
    elif isinstance(values, dict):
        yield from tensors(list(values.values()))


class Recorder(TorchFunctionMode):
    """Collects the calls of `run`; before that it only follows where constants come from."""

    def __init__(self) -> None:
        super().__init__()
        self.running = False
        self.statistics: set[int] = set()
        self.calls: set[Call] = set()
        self.classes: list[str] = []
        self.known: dict[int, tuple[Tensor, Origin, frozenset[str]]] = {}  # the tensor, so that ids stay unique

    def origin(self, tensor: Tensor) -> Origin:
        """What a tensor is computed from. One that is not known yet is a parameter or a buffer."""
        if isinstance(tensor, nn.Parameter):
            return Origin.PARAMETERS
        return self.known[id(tensor)][1] if id(tensor) in self.known else Origin.CONSTANT

    def made_by(self, tensor: Tensor) -> frozenset[str]:
        """The functions that made a constant."""
        return self.known[id(tensor)][2] if id(tensor) in self.known else frozenset({"buffer"})

    def learn(self, result: Any, origin: Origin, made_by: frozenset[str] = frozenset()) -> None:
        """Where the tensors of a result come from."""
        for tensor in tensors(result):
            self.known[id(tensor)] = tensor, origin, made_by

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        result = func(*args, **kwargs)
        name = function_name(func)
        read = list(tensors((args, kwargs)))
        origin = max(map(self.origin, read), default=Origin.CONSTANT)
        if origin == Origin.CONSTANT:
            made_by = frozenset().union(*map(self.made_by, read), () if name in NEUTRAL else (name,))
            self.learn(result, origin, made_by)
            self.mutate(func, args, origin, made_by)
            return result
        if self.running and name not in NEUTRAL:
            self.record(name, origin, args, kwargs, read)
        self.learn(result, origin)
        self.mutate(func, args, origin)
        return result

    def mutate(self, func: Any, args: Any, origin: Origin, made_by: frozenset[str] = frozenset()) -> None:
        """A function in place changes what its first argument is computed from."""
        name = getattr(func, "__name__", "")
        changes = name in ("__setitem__", "copy_") or (name.endswith("_") and not name.endswith("__"))
        if changes and args and isinstance(args[0], Tensor) and self.origin(args[0]) <= origin:
            self.learn(args[0], origin, made_by)

    def record(self, name: str, origin: Origin, args: Any, kwargs: Any, read: list[Tensor]) -> None:
        """Add a call, and the constants that it reads."""
        here = self.classes[-1] if self.classes else ""
        described = name + self.details(name, args, kwargs)
        self.calls.add((here, described + (" of parameters" if origin == Origin.PARAMETERS else "")))
        for tensor in tensors((args[0], kwargs)) if name == "getitem" else read:  # not the indices: see _index
            if self.origin(tensor) == Origin.CONSTANT and id(tensor) not in self.statistics:
                if tensor.numel() <= LARGE:
                    self.calls.add((here, "constant"))
                else:
                    self.calls |= {(here, f"{maker} for a large constant") for maker in self.made_by(tensor)}

    def details(self, name: str, args: Any, kwargs: Any) -> str:
        """What else decides whether the call can be said."""
        describe = DETAILS.get(name)
        return describe(self, args, kwargs) if describe else ""

    def run(self, model: nn.Module, images: Tensor) -> None:
        """Record the calls of a forward pass."""

        def enter(module: nn.Module, inputs: Any) -> None:
            self.classes.append(type(module).__name__)

        def leave(module: nn.Module, inputs: Any, output: Any) -> None:
            self.classes.pop()

        self.statistics = {id(buffer) for name, buffer in model.named_buffers() if name.endswith(STATISTICS)}
        self.learn(images, Origin.IMAGES)
        hooks = [register_module_forward_pre_hook(enter), register_module_forward_hook(leave, always_call=True)]
        self.running = True
        try:
            model(images)
        finally:
            self.running = False
            for hook in hooks:
                hook.remove()


STATISTICS = ("running_mean", "running_var", "num_batches_tracked")  # buffers that the ops of norms have too


def argument(args: Any, kwargs: Any, place: int, name: str, default: Any = None) -> Any:
    """An argument by position or name."""
    return args[place] if len(args) > place else kwargs.get(name, default)


def _weight(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether a layer's weight is computed."""
    weight = argument(args, kwargs, 1, "weight")
    if recorder.origin(weight) == Origin.IMAGES:
        return " (weight computed from the images)"
    if recorder.origin(weight) == Origin.CONSTANT:
        return " (constant weight)"
    return "" if isinstance(weight, nn.Parameter) else " (computed weight)"


def _index(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """What a tensor is indexed with."""
    chosen = list(tensors(argument(args, kwargs, 1, "key")))
    if any(recorder.origin(tensor) == Origin.IMAGES for tensor in chosen):
        return "[computed from the images]"
    if any(tensor.dtype == torch.bool for tensor in chosen):
        return "[mask]"
    return (
        f"[{'constant' if max(tensor.numel() for tensor in chosen) <= LARGE else 'large constant'}]" if chosen else ""
    )


def _gather(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether the indices are known."""
    indices = list(tensors((args[1:], kwargs)))
    known = all(recorder.origin(tensor) == Origin.CONSTANT for tensor in indices)
    return "[constant]" if known else "[computed from the images]"


def _interpolate(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """The mode."""
    antialias = " antialias" if argument(args, kwargs, 6, "antialias", False) else ""
    return f"[{argument(args, kwargs, 3, 'mode', 'nearest')}{antialias}]"


def _pad(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """The mode."""
    return f"[{argument(args, kwargs, 2, 'mode', 'constant')}]"


def _dropout(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether it does anything in training mode."""
    return "" if argument(args, kwargs, 1, "p", 0.5) > 0 else "[p=0]"


def _layer_norm(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether it is over one axis."""
    return "" if len(argument(args, kwargs, 1, "normalized_shape")) == 1 else "[several axes]"


def _maximum(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Over an axis, of two tensors, or of everything."""
    if isinstance(argument(args, kwargs, 1, "other"), Tensor):
        return "[elementwise]"
    return "" if len(args) > 1 or "dim" in kwargs else "[all]"


def _where(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether the condition is known."""
    condition = next(tensors((args, kwargs)))
    mask = argument(args, kwargs, 1, "mask", condition) if not isinstance(args[0], Tensor) else condition
    return "[constant]" if recorder.origin(mask) == Origin.CONSTANT else "[computed]"


def _masked(recorder: Recorder, args: Any, kwargs: Any) -> str:
    """Whether the mask is known."""
    known = recorder.origin(argument(args, kwargs, 1, "mask")) == Origin.CONSTANT
    return "[constant]" if known else "[computed]"


DETAILS: dict[str, Callable[[Recorder, Any, Any], str]] = {
    **dict.fromkeys(("conv1d", "conv2d", "conv3d", "conv_transpose2d", "linear"), _weight),
    "getitem": _index,
    "setitem": _index,
    **dict.fromkeys(("gather", "index_select", "take_along_dim", "scatter", "scatter_add", "index_add"), _gather),
    "interpolate": _interpolate,
    "pad": _pad,
    "dropout": _dropout,
    "layer_norm": _layer_norm,
    **dict.fromkeys(("max", "min"), _maximum),
    "where": _where,
    "masked_fill": _masked,
}
