"""The base class of ops: parameters, shape rule, cost, PyTorch layer and examples in one frozen dataclass."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import field
from typing import Any, ClassVar, TypeVar

from cnngraph.diagnostics import did_you_mean
from cnngraph.fields import REQUIRED, FieldError, fields_of
from cnngraph.frozen import Frozen
from cnngraph.numbers import show_sizes
from cnngraph.tensor_type import OTHER, TensorType

MAX_ELEMENTS = 2**31 - 1  # in one tensor for one image, and in one weight


class OpError(Exception):
    """An op cannot accept its inputs or parameters: the message, the parameter at fault, if any, and a fix, if known.

    The elaborator adds the location, the inputs with their shapes and producers, and the chain of block uses.
    """

    def __init__(
        self, message: str, *, code: str = "E201", parameter: str | None = None, help: str | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.parameter = parameter
        self.help = help


class Layer(Frozen):
    """A constructor call as data, which the backend executes or prints as source.

    `kind` names the class. A bare name is a class of torch.nn or of backend/modules/own_layers.py; the op of a plugin
    gives the full path of a class in its own package, `package.module.Class`.
    """

    kind: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        arguments = [*map(str, self.args), *(f"{name}={value}" for name, value in self.kwargs.items())]
        return f"{self.kind.rpartition('.')[2]}({', '.join(arguments)})"


def layer(kind: str, *args: Any, **kwargs: Any) -> Layer:
    """A `Layer`, written like the PyTorch call: `layer("Conv2d", 3, 64, kernel_size=7)`."""
    return Layer(kind, args, kwargs)


class Example(Frozen):
    """One use of an op: its parameters as YAML gives them, its input shapes and its output shape.

    Each example is a test (the layer is built with PyTorch and compared) and a row of the manual. `axes` names the axes
    of inputs whose layout their rank does not imply, one letter per axis: `("HWC",)`, with `?` for an unnamed axis. The
    inputs at the positions in `free` are free parameters, which have no batch axis; those in `indices` are constants
    that hold the indices 0 and 1.
    """

    arguments: Mapping[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...] | list[tuple[int, ...]]
    axes: tuple[str, ...] = ()
    free: tuple[int, ...] = ()
    indices: tuple[int, ...] = ()

    def types(self) -> tuple[TensorType, ...]:
        """The types of the inputs."""
        named = dict(enumerate(self.axes))
        return tuple(
            TensorType(sizes, (OTHER,) * len(sizes), batched=False, indices=(0, 1))
            if place in self.indices
            else TensorType(sizes, tuple(named.get(place, OTHER * len(sizes))), batched=False)
            if place in self.free
            else TensorType(sizes, tuple(named[place]))
            if place in named
            else TensorType.of(sizes)
            for place, sizes in enumerate(self.inputs)
        )


class Op(Frozen, ABC):
    """An operation with values for its parameters.

    Subclasses are frozen dataclasses, without a decorator, whose fields are declared with `cnngraph.fields.field`; the
    docstring is the manual. A subclass overrides `layer` if the op is a module, and `code` if it is an expression.
    """

    name: ClassVar[str]
    kind: ClassVar[str]  # chapter of the manual and colour in drawings: conv, linear, pool, norm, activation, …
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)  # minimum and maximum number of inputs; None: no maximum
    input_names: ClassVar[tuple[str, ...]] = ()  # for ops whose inputs differ in meaning: ("transform", "carry")
    is_commutative: ClassVar[bool] = False  # the order of the inputs has no effect
    second_sign: ClassVar[str] = ""  # the sign with which drawings mark the second input: − for a difference
    reserved: ClassVar[bool] = True  # whether blocks must not have its name; false for ops added later
    is_attribute: ClassVar[bool] = False  # a tensor without inputs, which `layer` makes and nothing computes
    takes_parameters: ClassVar[bool] = False  # whether an input may be a free parameter, which has no batch axis
    takes_indices: ClassVar[bool] = False  # whether an input may be a constant of indices
    elsewhere: ClassVar[tuple[str, ...]] = ()  # its names in other libraries: lower case, letters only
    runs_inplace: ClassVar[bool] = False  # the layer accepts inplace=True; the backend decides where that is safe
    output_is_free: ClassVar[bool] = False  # the output is not needed for the backward pass and is not a view
    mixes_sizes: ClassVar[bool] = False  # the channels or the number of outputs may depend on height and width
    examples: ClassVar[tuple[Example, ...]] = ()

    @classmethod
    def advice(cls, parameter: str, value: object, arguments: Mapping[str, object]) -> str | None:
        """How to write what an invalid value probably means. `arguments` are the values of all parameters."""
        return None

    def infer(self, *inputs: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The type of the output, or a tuple of types for a list of tensors. Raises OpError."""
        return inputs[0]

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """Name and shape of each learnable weight, in state_dict order."""
        return {}

    def buffers(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """Name and shape of each buffer, in state_dict order; buffers follow the parameters."""
        return {}

    def macs(self, *inputs: TensorType) -> int:
        """Multiply-accumulates for one image, as torch.utils.flop_counter.FlopCounterMode counts them."""
        return 0

    def layer(self, *inputs: TensorType) -> Layer | None:
        """The module that is called with the input tensors; None if it is an expression for them (see `code`)."""
        return None

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether a module built for inputs of the types `made_for` is right for `inputs`, so that it can be shared."""
        return self.layer(*made_for) == self.layer(*inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """A Python expression over the argument names; it may use `torch` and `F`. Only for ops without a module."""
        raise AssertionError(f"{self.name} has neither layer nor code")

    def chain_layer(self, *inputs: TensorType) -> Layer | None:
        """The module that replaces `code` inside nn.Sequential, if there is one."""
        return None


OpType = TypeVar("OpType", bound=Op)


def make_op(cls: type[OpType], arguments: Mapping[str, object]) -> OpType:
    """The op with parameters from plain values, as YAML gives them. Raises FieldError for the first invalid one."""
    known = fields_of(cls)
    values = {}
    for parameter, value in arguments.items():
        if parameter not in known:
            raise FieldError(f"`{cls.name}` has no parameter `{parameter}`", did_you_mean(parameter, known))
        try:
            values[parameter] = known[parameter].kind.convert(value)
        except FieldError as error:
            raise FieldError(f"`{parameter}` {error.message}", error.help) from None
    missing = [
        f"`{parameter}`"
        for parameter, field in known.items()
        if field.default is REQUIRED and parameter not in arguments
    ]
    if missing:
        raise FieldError(f"`{cls.name}` needs {' and '.join(missing)}")
    return cls(**values)


def infer_types(op: Op, inputs: Sequence[TensorType]) -> TensorType | tuple[TensorType, ...]:
    """The types of the op's outputs: checks the number and kind of inputs, then the op's shape rule, then the bounds.

    Raises OpError for whatever PyTorch would reject when the layer is built or called.
    """
    _check_number(op, len(inputs))
    if not op.takes_parameters and not all(tensor.batched for tensor in inputs):
        raise OpError(
            f"`{op.name}` cannot read a free parameter, which has no batch axis",
            code="E212",
            help="combine the parameter with a tensor first, for example with `add`, `mul` or `matmul`",
        )
    if not op.takes_indices and any(tensor.indices for tensor in inputs):
        raise OpError(f"`{op.name}` cannot read integers, which only `index` reads, as its second input", code="E212")
    result = op.infer(*inputs)
    for output in result if isinstance(result, tuple) else (result,):
        if output.count > MAX_ELEMENTS:
            raise OpError(f"the output {output} has more than {MAX_ELEMENTS:,} elements per image", code="E502")
    for name, shape in op.parameters(*inputs).items():
        if TensorType.of(shape).count > MAX_ELEMENTS:
            raise OpError(
                f"the {name or 'parameter'} {show_sizes(shape)} has more than {MAX_ELEMENTS:,} elements", code="E502"
            )
    return result


LIST_ALL = "list all of them in `from: [...]`"


def _check_number(op: Op, count: int) -> None:
    fewest, most = op.inputs
    if count >= fewest and (most is None or count <= most):
        return
    if most == 0:
        expected, help = "no tensors", "write `from: []`, or remove `from`"
    elif fewest == most:
        names = f" ({', '.join(op.input_names)})" if op.input_names else ""
        expected = f"{fewest} tensor{'s' * (fewest > 1)}{names}"
        help = "join them first, for example with `concat` or `add`" if count > fewest else LIST_ALL
    elif most is not None:
        expected, help = f"{fewest} to {most} tensors ({', '.join(op.input_names)})", LIST_ALL
    else:
        expected, help = f"at least {fewest} tensor{'s' * (fewest > 1)}", LIST_ALL
    raise OpError(f"`{op.name}` reads {expected}, got {count}", code="E210", help=help)
