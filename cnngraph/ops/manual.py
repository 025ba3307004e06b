"""The manual of the ops, `docs/ops.md`, made of their definitions; `python -m cnngraph.generate` writes it."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterable, Iterator, Mapping
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
    "pool": "Poolings",
    "norm": "Normalisations",
    "activation": "Activations",
    "dropout": "Dropouts",
    "merge": "Joining tensors",
    "arithmetic": "Factors and free parameters",
    "reshape": "Laying out and cutting",
    "resize": "Changing a map's size",
}

INTRODUCTION = """\
# Ops

Every operation that a node's `op` can name. This page is generated from the definitions
(`python -m cnngraph.generate`); each example below is also a test that builds the layer with PyTorch
and compares its shape and weights.

Words are PyTorch's, with PyTorch's defaults, less `_channels`, `_features` and `_size`: `Conv2d(out_channels=64,
kernel_size=3)` is `{op: conv, out: 64, kernel: 3}`. A word for a size takes one integer, or `[height, width]`.
An axis (`dim`) goes by its name, or by PyTorch's number, which counts the batch as 0. Shapes are those of one image,
the batch is implied: a map is channels×height×width, C×H×W; C alone is a vector. Axes keep their names: after a
permute to H×W×C the channels are still the channels.

An op reads tensors with a batch. A free parameter, which has none, goes into `add`, `sub`, `mul` and `maximum`.
Multiply-accumulates count for convolutions, linear layers and gates; every other op costs 0.
"""


def manual(ops: Mapping[str, type[Op]] | None = None) -> str:
    """The whole page, of the built-in ops unless others are given."""
    classes = list((builtin_ops() if ops is None else ops).values())
    parts = [INTRODUCTION if ops is None else "# Ops\n", _contents(classes)]
    for chapter, members in in_chapters(classes):
        parts.append(f"## {chapter}\n")
        parts += [page(each) for each in members]
    return "\n".join(parts)


def page(cls: type[Op]) -> str:
    """The manual of one op."""
    lines = [f"### {cls.name}\n", _marked_up(inspect.getdoc(cls) or ""), "", f"{reads(cls)}.", ""]
    if fields_of(cls):
        lines += ["| word | takes | default | |", "| --- | --- | --- | --- |"]
        lines += [_row(each) for each in fields_of(cls).values()]
        lines.append("")
    if cls.examples:
        lines += [*_examples(cls), ""]
    return "\n".join(lines)


def in_chapters(ops: Iterable[type[Op]]) -> Iterator[tuple[str, list[type[Op]]]]:
    """The title of each chapter with its ops, in the order of the ops."""
    for kind, members in groupby(ops, key=lambda each: each.kind):
        yield _chapter(kind), list(members)


def summary(cls: type[Op]) -> str:
    """The first paragraph of an op's manual, on one line."""
    return " ".join((inspect.getdoc(cls) or "").partition("\n\n")[0].split())


def parameter_rows(cls: type[Op]) -> list[tuple[str, str, str, str]]:
    """For each parameter of an op its name, what it takes, its default and what it is, as plain text."""
    return [(each.name, each.kind.describe(), _default(each), each.doc) for each in fields_of(cls).values()]


def example_rows(cls: type[Op]) -> list[tuple[str, str, str]]:
    """For each example of an op its node, its shapes and its weights, as plain text."""
    return [(_node(cls, each), _shapes(each), _weights(cls, each)) for each in cls.examples]


def _contents(classes: Iterable[type[Op]]) -> str:
    lines = []
    for chapter, members in in_chapters(classes):
        names = ", ".join(f"[{each.name}](#{each.name})" for each in members)
        lines.append(f"- **{chapter}**: {names}")
    return "\n".join([*lines, ""])


def _chapter(kind: str) -> str:
    return CHAPTERS.get(kind, kind.capitalize())


def _marked_up(text: str) -> str:
    """Docstrings are plain text: what Markdown would take for emphasis is escaped outside of code."""
    pieces = re.split(r"(`[^`]*`)", text)
    return "".join(each if each.startswith("`") else each.replace("*", "\\*").replace("_", "\\_") for each in pieces)


def reads(cls: type[Op]) -> str:
    """What an op reads: `Reads two tensors or more`."""
    fewest, most = cls.inputs
    if most == 0:
        return "Reads nothing"
    if cls.input_names:
        return f"Reads {len(cls.input_names)} tensors, {' and '.join(cls.input_names)}"
    if fewest == most:
        return "Reads one tensor" if fewest == 1 else f"Reads {fewest} tensors"
    return "Reads one tensor or more" if fewest == 1 else f"Reads {fewest} tensors or more"


def _default(each: Field) -> str:
    """A parameter's default in YAML; an empty text where it must be given."""
    return "" if each.default is REQUIRED else _shown(each.default)


def _row(each: Field) -> str:
    default = _default(each)
    cells = (f"`{each.name}`", each.kind.describe(), f"`{default}`" if default else "must be given", each.doc)
    return "| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |"


def _shown(value: object) -> str:
    """A value in YAML, with 1e-5 for Python's 1e-05."""
    return re.sub(r"e-0(\d)", r"e-\1", show_value(plain(value)))


def _examples(cls: type[Op]) -> list[str]:
    rows = [(f"`{node}`", shapes, weights) for node, shapes, weights in example_rows(cls)]
    with_weights = any(weights for _, _, weights in rows)
    lines = ["| example | shapes | weights |", "| --- | --- | --- |"]
    if not with_weights:
        lines = ["| example | shapes |", "| --- | --- |"]
    return lines + [f"| {' | '.join(row if with_weights else row[:2])} |" for row in rows]


def _node(cls: type[Op], example: Example) -> str:
    words = "".join(f", {name}: {_shown(value)}" for name, value in example.words.items())
    return f"{{op: {cls.name}{words}}}"


def _shapes(example: Example) -> str:
    inputs = []
    for place, each in enumerate(example.types()):
        letters = "×".join(each.axes).replace(OTHER, "·")
        note = " parameter" if place in example.free else f" ({letters})" if place < len(example.axes) else ""
        inputs.append(f"{_sizes(each.sizes)}{note}")
    outputs = example.output if isinstance(example.output, list) else [example.output]
    return f"{', '.join(inputs) or 'nothing'} → {', '.join(map(_sizes, outputs))}"


def _sizes(shape: tuple[int, ...]) -> str:
    return show_sizes(shape) if shape else "a number"


def _weights(cls: type[Op], example: Example) -> str:
    op, types = make_op(cls, example.words), example.types()
    state = {**op.parameters(*types), **op.buffers(*types)}
    return ", ".join(f"{name or 'the node itself'} {_sizes(shape)}" for name, shape in state.items())
