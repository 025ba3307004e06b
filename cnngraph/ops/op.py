"""What an op is: its words, shape rule, cost, PyTorch layer and examples, in one frozen dataclass."""

from __future__ import annotations

from abc import ABC
from collections.abc import Mapping, Sequence
from dataclasses import field
from functools import cached_property
from typing import Any, ClassVar, TypeVar

from cnngraph.diagnostics import did_you_mean
from cnngraph.fields import REQUIRED, FieldError, fields_of
from cnngraph.frozen import Frozen
from cnngraph.numbers import show_sizes
from cnngraph.tensor_type import OTHER, TensorType

MAX_ELEMENTS = 2**31 - 1  # of one tensor for one image, and of one weight


class OpError(Exception):
    """An op refuses its inputs or words: what is wrong, which word to point at, perhaps a mend.

    The elaborator adds the place, the inputs with their shapes and producers, and the chain of block uses.
    """

    def __init__(self, message: str, *, code: str = "E201", word: str | None = None, help: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.word = word
        self.help = help


class Layer(Frozen):
    """A constructor call as data: the backend makes a module of it or prints it as source.

    `kind` names its class: a bare name is one of torch.nn or of backend/modules/layers.py; the op of a plugin gives
    the full path of a class of its own package, `package.module.Class`.
    """

    kind: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def __str__(self) -> str:
        given = [*map(str, self.args), *(f"{name}={value}" for name, value in self.kwargs.items())]
        return f"{self.kind.rpartition('.')[2]}({', '.join(given)})"


def layer(kind: str, *args: Any, **kwargs: Any) -> Layer:
    """`layer("Conv2d", 3, 64, kernel_size=7)`, which reads like PyTorch."""
    return Layer(kind, args, kwargs)


class Example(Frozen):
    """One use of an op: its words as YAML would give them, its input shapes, and the shape that comes out.

    It is a test (built with PyTorch and compared) and a line of the manual. `axes` names the axes of the inputs
    where their sizes alone would mislead, a letter for each: `("HWC",)`, `?` for a nameless one. The inputs at the
    places in `free` are free parameters, which have no batch axis.
    """

    words: Mapping[str, Any]
    inputs: tuple[tuple[int, ...], ...]
    output: tuple[int, ...] | list[tuple[int, ...]]
    axes: tuple[str, ...] = ()
    free: tuple[int, ...] = ()

    def types(self) -> tuple[TensorType, ...]:
        """The inputs' types."""
        named = dict(enumerate(self.axes))
        return tuple(
            TensorType(sizes, tuple(OTHER * len(sizes)), batched=False)
            if place in self.free
            else TensorType(sizes, tuple(named[place]))
            if place in named
            else TensorType.of(sizes)
            for place, sizes in enumerate(self.inputs)
        )


class Op(Frozen, ABC):
    """An operation with its words filled in.

    Subclasses are frozen dataclasses, without a decorator, whose fields are declared with `cnngraph.fields.field`; the
    docstring is the manual. `layer` or `code` must be given: an op with a module gives `layer`, one without gives
    `code`.
    """

    name: ClassVar[str]
    kind: ClassVar[str]  # the manual's chapter and the drawing's colour: conv, linear, pool, norm, activation, …
    inputs: ClassVar[tuple[int, int | None]] = (1, 1)  # fewest and most tensors read; None: any number
    input_names: ClassVar[tuple[str, ...]] = ()  # for ops whose inputs differ in meaning: ("transform", "carry")
    takes_parameters: ClassVar[bool] = False  # whether an input may be a free parameter, which has no batch axis
    elsewhere: ClassVar[tuple[str, ...]] = ()  # its names in other libraries: lower case, letters only
    runs_inplace: ClassVar[bool] = False  # the layer takes inplace=True; the backend decides where that is safe
    output_is_free: ClassVar[bool] = False  # nobody needs the output's values for the backward pass, and it's no view
    mixes_sizes: ClassVar[bool] = False  # its channels, or number of outputs, may depend on height and width
    examples: ClassVar[tuple[Example, ...]] = ()

    @classmethod
    def advice(cls, word: str, value: object, words: Mapping[str, object]) -> str | None:
        """How to write what a refused value of a parameter probably means, `words` being the node's other values."""
        return None

    def infer(self, *inputs: TensorType) -> TensorType | tuple[TensorType, ...]:
        """The type that comes out, or a tuple of types for a list of tensors. Raises OpError."""
        return inputs[0]

    def parameters(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """Name and shape of each learned weight, in state_dict order."""
        return {}

    def buffers(self, *inputs: TensorType) -> dict[str, tuple[int, ...]]:
        """Name and shape of each state_dict entry that is not learned, after the parameters."""
        return {}

    def macs(self, *inputs: TensorType) -> int:
        """Multiply-accumulates for one image; convolutions and linear layers count, everything else is 0."""
        return 0

    def layer(self, *inputs: TensorType) -> Layer | None:
        """The module that runs it, called with the input tensors; None where `code` says it all."""
        return None

    def fits(self, made_for: Sequence[TensorType], inputs: Sequence[TensorType]) -> bool:
        """Whether the module that was made for some inputs does to others what their own module would do."""
        return self.layer(*made_for) == self.layer(*inputs)

    def code(self, arguments: tuple[str, ...], *inputs: TensorType) -> str:
        """A Python expression over argument names, with `torch` and `F` in reach, for an op without a module."""
        raise AssertionError(f"{self.name} has neither layer nor code")

    def chain_layer(self, *inputs: TensorType) -> Layer | None:
        """The module that takes the place of `code` in nn.Sequential, where there is one."""
        return None

    @cached_property
    def is_stateless(self) -> bool:
        """Whether it is an expression in forward rather than a module."""
        return type(self).layer is Op.layer


OpType = TypeVar("OpType", bound=Op)


def make_op(cls: type[OpType], words: Mapping[str, object]) -> OpType:
    """The op with plain words filled in, as YAML would give them. Raises FieldError at the first bad word."""
    known = fields_of(cls)
    values = {}
    for word, value in words.items():
        if word not in known:
            raise FieldError(f"{cls.name} has no word {word}", did_you_mean(word, known))
        try:
            values[word] = known[word].kind.convert(value)
        except FieldError as error:
            raise FieldError(f"{word} {error.message}", error.help) from None
    missing = [word for word, each in known.items() if each.default is REQUIRED and word not in words]
    if missing:
        raise FieldError(f"{cls.name} needs {' and '.join(missing)}")
    return cls(**values)


def infer_types(op: Op, inputs: Sequence[TensorType]) -> TensorType | tuple[TensorType, ...]:
    """What the op gives for these inputs: checks their number and kind, then the op's own rule, then the bounds.

    Raises OpError with everything that PyTorch would refuse when the layer is made or run.
    """
    _check_number(op, len(inputs))
    if not op.takes_parameters and not all(each.batched for each in inputs):
        raise OpError(
            f"{op.name} reads images, and a free parameter is none",
            code="E212",
            help="add, sub, mul and maximum take a free parameter beside a tensor",
        )
    result = op.infer(*inputs)
    for each in result if isinstance(result, tuple) else (result,):
        if each.count > MAX_ELEMENTS:
            raise OpError(f"the result {each} has more than {MAX_ELEMENTS:,} numbers for one image", code="E502")
    for name, shape in op.parameters(*inputs).items():
        if TensorType.of(shape).count > MAX_ELEMENTS:
            raise OpError(
                f"the {name or 'parameter'} {show_sizes(shape)} has more than {MAX_ELEMENTS:,} numbers", code="E502"
            )
    return result


def _check_number(op: Op, count: int) -> None:
    fewest, most = op.inputs
    if count >= fewest and (most is None or count <= most):
        return
    if most == 0:
        wanted, help = "nothing", "write from: [] or leave from out"
    elif fewest == most:
        names = f" ({', '.join(op.input_names)})" if op.input_names else ""
        wanted = f"{fewest} tensor{'s' * (fewest > 1)}{names}"
        help = (
            "join them first, for example with concat or add" if count > fewest else "name all of them in from: [...]"
        )
    else:
        wanted, help = f"at least {fewest} tensor{'s' * (fewest > 1)}", "name all of them in from: [...]"
    raise OpError(f"{op.name} reads {wanted}, got {count}", code="E210", help=help)
