"""Reductions: the mean, sum, maximum, variance or norm over some axes of a tensor."""

from __future__ import annotations

from typing import ClassVar, TypeAlias

from cnngraph.fields import Bool, Either, Int, ListOf, Optional, field
from cnngraph.ops.kinds import Axis, Positive
from cnngraph.ops.merge import equal_type
from cnngraph.ops.op import Example, Op, OpError
from cnngraph.ops.shapes import axis_index
from cnngraph.tensor_type import TensorType

DIM = Either((Axis(), ListOf(Axis())))
KEEPDIM = "whether to keep these axes with size 1"
Dim: TypeAlias = tuple[str | int, ...] | str | int


def reduced_axes(op: str, tensor: TensorType, dim: Dim) -> list[int]:
    """The indices of the axes in `sizes` (without the batch). Raises OpError if one is named twice."""
    dims = dim if isinstance(dim, tuple) else (dim,)
    indices = sorted(axis_index(op, tensor, name) for name in dims)
    if len(set(indices)) < len(indices):
        raise OpError("`dim` names the same axis twice", code="E205", parameter="dim")
    return indices


def reduced(op: str, tensor: TensorType, dim: Dim, keepdim: bool) -> TensorType:
    """The type without these axes, or with size 1 for them."""
    removed = reduced_axes(op, tensor, dim)
    kept = [
        (1 if index in removed else size, axis)
        for index, (size, axis) in enumerate(zip(tensor.sizes, tensor.axes, strict=True))
        if keepdim or index not in removed
    ]
    return TensorType(tuple(size for size, _ in kept), tuple(axis for _, axis in kept), tensor.batched)


def torch_dims(op: str, tensor: TensorType, dim: Dim, keepdim: bool) -> str:
    """The arguments `dim` and `keepdim` of PyTorch's function: `(2, 3), keepdim=True`."""
    dims = tuple(index + tensor.batched for index in reduced_axes(op, tensor, dim))
    return f"{dims}{', keepdim=True' if keepdim else ''}"


def _examples(**arguments: object) -> tuple[Example, ...]:
    """Examples for a reduction over axes, with these other parameters."""
    return (
        Example({"dim": ["height", "width"], "keepdim": True, **arguments}, ((4, 5, 6),), (4, 1, 1)),
        Example({"dim": ["height", "width"], **arguments}, ((5, 6, 4),), (4,), axes=("HWC",)),
        Example({"dim": "channels", "keepdim": True}, ((4, 5, 6),), (1, 5, 6)),
        Example({"dim": -1}, ((4, 5, 6),), (4, 5)),
    )


class Mean(Op):
    """The elementwise mean of several inputs, or with `dim` the mean of one input over some of its axes.

    Several inputs: y = (x₁ + x₂ + …) / n, all shapes equal, as in the joins of FractalNet (Larsson et al. 2017). With
    `dim` the averaged axes are removed, or kept with size 1 if `keepdim` is true: `dim: [height, width], keepdim: true`
    is the squeeze of squeeze-and-excitation, C×1×1.
    """

    name: ClassVar[str] = "mean"
    kind: ClassVar[str] = "reduction"
    takes_parameters: ClassVar[bool] = True
    inputs: ClassVar[tuple[int, int | None]] = (1, None)
    is_commutative: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    dim: Dim | None = field(Optional(DIM), "axes to average over; null averages the inputs", None)
    keepdim: bool = field(Bool(), KEEPDIM, False)

    examples: ClassVar[tuple[Example, ...]] = (Example({}, ((4, 5, 6), (4, 5, 6)), (4, 5, 6)), *_examples())

    def infer(self, *inputs: TensorType) -> TensorType:
        """The common type of the inputs, or that of the one input without the averaged axes."""
        if self.dim is None:
            if len(inputs) == 1:
                raise OpError(
                    "`mean` of a single input needs `dim`, the axes to average over",
                    code="E205",
                    help="to average over all positions, add `dim: [height, width]`",
                )
            return equal_type(self.name, inputs)
        if len(inputs) > 1:
            raise OpError(f"`mean` with `dim` reads one tensor, got {len(inputs)}", code="E210", parameter="dim")
        return reduced(self.name, inputs[0], self.dim, self.keepdim)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """`(a + b) / 2`, or torch.mean."""
        if self.dim is None:
            return f"({' + '.join(arguments)}) / {len(arguments)}"
        return f"{arguments[0]}.mean({torch_dims(self.name, inputs[0], self.dim, self.keepdim)})"


class Sum(Op):
    """The sum over some axes, which are removed, or kept with size 1 if `keepdim` is true.

    With `dim: channels` and a square before it, it is the attention map of Zagoruyko & Komodakis 2017. To add several
    tensors use `add`.
    """

    name: ClassVar[str] = "sum"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("reducesum",)
    kind: ClassVar[str] = "reduction"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    dim: Dim = field(DIM, "axes to sum over")
    keepdim: bool = field(Bool(), KEEPDIM, False)

    examples: ClassVar[tuple[Example, ...]] = _examples()

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's without the axes."""
        return reduced(self.name, inputs[0], self.dim, self.keepdim)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.sum."""
        return f"{arguments[0]}.sum({torch_dims(self.name, inputs[0], self.dim, self.keepdim)})"


class Max(Op):
    """The maximum over some axes, which are removed, or kept with size 1 if `keepdim` is true.

    `dim: channels, keepdim: true` is one of the two maps of CBAM's spatial attention (Woo et al. 2018). For the larger
    of several tensors use `maximum`. Equal maxima share the gradient.
    """

    name: ClassVar[str] = "max"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("amax", "reducemax")
    kind: ClassVar[str] = "reduction"
    takes_parameters: ClassVar[bool] = True

    dim: Dim = field(DIM, "axes over which to take the maximum")
    keepdim: bool = field(Bool(), KEEPDIM, False)

    examples: ClassVar[tuple[Example, ...]] = _examples()

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's without the axes."""
        return reduced(self.name, inputs[0], self.dim, self.keepdim)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.amax."""
        return f"{arguments[0]}.amax({torch_dims(self.name, inputs[0], self.dim, self.keepdim)})"


class Var(Op):
    """The variance over some axes, which are removed, or kept with size 1 if `keepdim` is true.

    The sum of squared differences from the mean is divided by n − correction. SimAM (Yang et al. 2021) weights each
    position by its squared distance from the mean relative to the variance.
    """

    name: ClassVar[str] = "var"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("variance", "reducevariance")
    kind: ClassVar[str] = "reduction"
    takes_parameters: ClassVar[bool] = True
    output_is_free: ClassVar[bool] = True

    dim: Dim = field(DIM, "axes over which to take the variance")
    keepdim: bool = field(Bool(), KEEPDIM, False)
    correction: int = field(Int(0), "subtracted from the number of values: 1 is Bessel's correction", 1)

    examples: ClassVar[tuple[Example, ...]] = _examples(correction=0)

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's without the axes."""
        result = reduced(self.name, inputs[0], self.dim, self.keepdim)
        number = inputs[0].count // result.count
        if number <= self.correction:
            raise OpError(
                f"`var` with `correction: {self.correction}` needs more than {self.correction} values, got {number}",
                code="E205",
                parameter="dim",
                help="add `correction: 0`",
            )
        return result

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.var."""
        correction = "" if self.correction == 1 else f", correction={self.correction}"
        return f"{arguments[0]}.var({torch_dims(self.name, inputs[0], self.dim, self.keepdim)}{correction})"


class VectorNorm(Op):
    """The p-norm over some axes, which are removed, or kept with size 1 if `keepdim` is true: (Σ |x|^p)^(1/p).

    By default it is the Euclidean length. Its gradient is 0 where the norm is 0.
    """

    name: ClassVar[str] = "norm"
    reserved: ClassVar[bool] = False
    elsewhere: ClassVar[tuple[str, ...]] = ("vectornorm", "reducel2")
    kind: ClassVar[str] = "reduction"
    takes_parameters: ClassVar[bool] = True

    dim: Dim = field(DIM, "axes over which to take the norm")
    p: float = field(Positive(), "exponent of the norm", 2.0)
    keepdim: bool = field(Bool(), KEEPDIM, False)

    examples: ClassVar[tuple[Example, ...]] = _examples(p=1)

    def infer(self, *inputs: TensorType) -> TensorType:
        """The input's without the axes."""
        return reduced(self.name, inputs[0], self.dim, self.keepdim)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """torch.linalg.vector_norm."""
        order = "" if self.p == 2 else f"{self.p!r}, "
        dims = torch_dims(self.name, inputs[0], self.dim, self.keepdim)
        return f"torch.linalg.vector_norm({arguments[0]}, {order}{'' if order else 'dim='}{dims})"


OPS: tuple[type[Op], ...] = (Mean, Sum, Max, Var, VectorNorm)
