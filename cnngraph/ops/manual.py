"""The manual of the ops, `docs/ops.md`, generated from their definitions by `python -m cnngraph.generate`."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator
from itertools import groupby

from cnngraph.fields import REQUIRED, Field, fields_of, show_value
from cnngraph.numbers import show_sizes
from cnngraph.ops.op import Example, Op, make_op
from cnngraph.ops.registry import builtin_ops
from cnngraph.ops.schema import plain
from cnngraph.tensor_type import OTHER

CHAPTERS = {
    "conv": "Convolutions",
    "linear": "Linear layers",
    "attention": "Matrix products and attention",
    "pool": "Pooling",
    "norm": "Normalisation",
    "activation": "Activations",
    "dropout": "Dropout",
    "merge": "Combining tensors",
    "reduction": "Reductions over axes",
    "arithmetic": "Arithmetic, free parameters and constants",
    "reshape": "Reshaping and slicing",
    "resize": "Padding and resizing",
}

INTRODUCTION = """\
# Ops

The built-in operations, the possible values of a node's `op`. This page is generated from their definitions
(`python -m cnngraph.generate`); each example below is also a test that builds the layer with PyTorch
and compares its shape and weights.

Parameters have PyTorch's names and defaults, without `_channels`, `_features` and `_size`: `Conv2d(out_channels=64,
kernel_size=3)` is `{op: conv, out: 64, kernel: 3}`. A size is one integer, or `[height, width]`. An axis (`dim`) is a
name, or PyTorch's index, where the batch is 0. Shapes are those of one image, without the batch: a map is
channels×height×width, C×H×W; C alone is a vector. Axes keep their names: after a permute to H×W×C, C is still the
channel axis.

Ops read tensors with a batch axis. A free parameter has none; it can be an input of the ops marked with "or free
parameters". Multiply-accumulates are counted as PyTorch's `FlopCounterMode` counts them: for convolutions, matrix
products, attention, linear layers and gates. They are 0 for every other op.
"""


def manual() -> str:
    """The page on the built-in ops."""
    parts = [INTRODUCTION, _contents(builtin_ops().values())]
    for chapter, members in in_chapters(builtin_ops().values()):
        parts.append(f"## {chapter}\n")
        parts += [page(op) for op in members]
    return "\n".join(parts)


def page(cls: type[Op]) -> str:
    """The section on one op."""
    lines = [f"### {cls.name}\n", _marked_up(inspect.getdoc(cls) or ""), "", f"{reads(cls)}.", ""]
    if fields_of(cls):
        lines += ["| parameter | type | default | description |", "| --- | --- | --- | --- |"]
        lines += [_row(field) for field in fields_of(cls).values()]
        lines.append("")
    if cls.examples:
        lines += [*_examples(cls), ""]
    return "\n".join(lines)


def in_chapters(ops: Iterable[type[Op]]) -> Iterator[tuple[str, list[type[Op]]]]:
    """The title of each chapter with its ops, in order."""
    for kind, members in groupby(ops, key=lambda op: op.kind):
        yield _chapter(kind), list(members)


def parameter_rows(cls: type[Op]) -> list[tuple[str, str, str, str]]:
    """Name, type, default and description of each parameter of an op, as plain text."""
    return [(field.name, field.kind.describe(), _default(field), field.doc) for field in fields_of(cls).values()]


def example_rows(cls: type[Op]) -> list[tuple[str, str, str]]:
    """Node, shapes and weights of each example of an op, as plain text."""
    return [(_node(cls, example), _shapes(example), _weights(cls, example)) for example in cls.examples]


def _contents(classes: Iterable[type[Op]]) -> str:
    lines = []
    for chapter, members in in_chapters(classes):
        names = ", ".join(f"[{op.name}](#{op.name})" for op in members)
        lines.append(f"- **{chapter}**: {names}")
    return "\n".join([*lines, ""])


def _chapter(kind: str) -> str:
    return CHAPTERS.get(kind, kind.capitalize())


def _marked_up(text: str) -> str:
    """A docstring as Markdown: `*` and `_` outside of code are escaped."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(
        piece if piece.startswith("`") else piece.replace("*", "\\*").replace("_", "\\_") for piece in pieces
    )


def _in_words(count: int) -> str:
    return ("no", "one", "two", "three", "four")[count] if count < 5 else str(count)


def reads(cls: type[Op]) -> str:
    """What an op reads: `Reads two tensors or more`."""
    fewest, most = cls.inputs
    if most == 0:
        return "Reads nothing"
    count = _in_words(fewest)
    if fewest != most:
        span = "or" if most is None or most == fewest + 1 else "to"
        count = f"{count} {span} {'more' if most is None else _in_words(most)}"
    parameters = " or free parameters" if cls.takes_parameters else ""
    names = f": {', '.join(cls.input_names)}" if cls.input_names else ""
    return f"Reads {count} tensor{'s' * (most != 1)}{parameters}{names}"


def _default(field: Field) -> str:
    """The default of a parameter as YAML, or an empty string if it is required."""
    return "" if field.default is REQUIRED else _shown(field.default)


def _row(field: Field) -> str:
    default = _default(field)
    cells = (f"`{field.name}`", field.kind.describe(), f"`{default}`" if default else "required", field.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(value: object) -> str:
    """A value as YAML, with 1e-5 instead of Python's 1e-05."""
    return re.sub(r"e-0(\d)", r"e-\1", show_value(plain(value)))


def _examples(cls: type[Op]) -> list[str]:
    rows = [(f"`{node}`", shapes, weights) for node, shapes, weights in example_rows(cls)]
    with_weights = any(weights for _, _, weights in rows)
    lines = ["| example | shapes | weights |", "| --- | --- | --- |"]
    if not with_weights:
        lines = ["| example | shapes |", "| --- | --- |"]
    return lines + [f"| {' | '.join(row if with_weights else row[:2])} |" for row in rows]


def _node(cls: type[Op], example: Example) -> str:
    arguments = "".join(f", {name}: {_shown(value)}" for name, value in example.arguments.items())
    return f"{{op: {cls.name}{arguments}}}"


def _shapes(example: Example) -> str:
    inputs = []
    for index, tensor in enumerate(example.types()):
        letters = "×".join(tensor.axes).replace(OTHER, "·")
        note = f" ({letters})" if index < len(example.axes) else ""
        note = " indices" if index in example.indices else " parameter" if index in example.free else note
        inputs.append(f"{_sizes(tensor.sizes)}{note}")
    outputs = example.output if isinstance(example.output, list) else [example.output]
    return f"{', '.join(inputs) or 'nothing'} → {', '.join(map(_sizes, outputs))}"


def _sizes(shape: tuple[int, ...]) -> str:
    return show_sizes(shape) if shape else "a number"


def _weights(cls: type[Op], example: Example) -> str:
    op, types = make_op(cls, example.arguments), example.types()
    state = {**op.parameters(*types), **op.buffers(*types)}
    return ", ".join(f"{name or 'the node itself'} {_sizes(shape)}" for name, shape in state.items())
