"""Texts of specs, with the folders they stand in: made of random nodes, and real ones with something changed."""

from __future__ import annotations

import re
from pathlib import Path

from hypothesis import strategies as st

from cnngraph.fields import show_value
from cnngraph.ops.registry import builtin_ops
from tests.library import LIBRARY, network

DRAWN = ["googlenet_mnist", "residual_mnist", "cifar2_skip", "cifar2_deep", "resnet_cifar", "resnet_cifar_222"]
MAPS = ["conv", "conv", "conv", "relu", "batch_norm", "max_pool", "avg_pool", "tanh", "dropout", "identity"]
WORDS = ["from", "when", "else", "repeat", "first", "last", "carry", "flat", "expect", "share", "unused", "op", "nodes"]
VALUES = [
    "0",
    "1",
    "2",
    "3",
    "7",
    "-1",
    "2.5",
    "true",
    "null",
    "half",
    "same",
    "in",
    "$in.channels",
    "$i",
    "[1, 2]",
    "{}",
]
VALUES += [
    "$from.height // 2",
    "a",
    "b.0",
    "[a, b]",
    "relu",
    "conv",
    "concat",
    "none",
    "'x'",
    "9**9**9",
    "$item",
    "in.0",
]
SIZES = st.integers(1, 4)


@st.composite
def words(draw: st.DrawFn, op: str) -> str:
    """The words of one of the op's examples, perhaps with a number changed."""
    cls = builtin_ops()[op]
    example = draw(st.sampled_from(cls.examples))
    given = dict(example.words)
    change = draw(st.booleans())
    if given and change:
        key = draw(st.sampled_from(sorted(given)))
        if isinstance(given[key], int) and not isinstance(given[key], bool):
            given[key] = draw(st.integers(0, 9))
    return "".join(f", {key}: {_yaml(value)}" for key, value in given.items())


def _yaml(value: object) -> str:
    return f"'{value}'" if isinstance(value, str) else show_value(value)


@st.composite
def nodes(draw: st.DrawFn, depth: int = 0) -> list[str]:
    """The lines of a scope: a chain with branches, merges, inner scopes, repeats and shares."""
    names: list[str] = []
    lines: list[str] = []
    for number in range(draw(st.integers(1, 5))):
        name = f"n{number}"
        reach = ["in", *names]
        kind = draw(st.sampled_from(["map", "map", "map", "any", "merge", "scope", "repeat", "absent", "share"]))
        source = f"from: {draw(st.sampled_from(reach))}" if draw(st.integers(0, 3)) == 0 else ""
        if kind == "merge":
            others = draw(st.lists(st.sampled_from(reach), min_size=1, max_size=3))
            op = draw(st.sampled_from(["add", "concat", "mul", "maximum", "gate", "mean"]))
            mode = ", mode: exclusive" if op == "gate" else ""
            lines.append(f"{name}: {{op: {op}, from: [{', '.join(others)}]{mode}}}")
        elif kind == "scope" and depth < 2:
            inner = draw(nodes(depth + 1))
            lines += [f"{name}:", *([f"  {source}"] if source else []), "  nodes:", *(f"    {line}" for line in inner)]
        elif kind == "share" and names:
            lines.append(f"{name}: {{share: {draw(st.sampled_from(names))}{', ' * bool(source)}{source}}}")
        else:
            op = draw(st.sampled_from(MAPS if kind == "map" else sorted(builtin_ops())))
            text = f"op: {op}{', ' * bool(source)}{source}{draw(words(op))}"
            if kind == "repeat":
                carry = draw(st.sampled_from(["last", "concat", "none"]))
                flat = draw(st.sampled_from(["", ", flat: true"]))
                text += f", repeat: {draw(st.integers(0, 3))}, carry: {carry}, name: r{number}1{flat}"
            elif kind == "absent":
                text += f", when: {draw(st.sampled_from(['false', 'true', '$from.channels > 3']))}"
            lines.append(f"{name}: {{{text}}}")
        names.append(name)
    return lines


@st.composite
def made(draw: st.DrawFn) -> tuple[str, Path]:
    """A spec of random nodes. What nobody reads is added up at the end, where the shapes allow it."""
    lines = draw(nodes())
    sizes = [draw(SIZES) * 2, draw(st.integers(3, 12)), draw(st.integers(3, 12))]
    text = "\n".join(["cnngraph: 1", "name: made", f"input: {sizes}", "nodes:", *(f"  {line}" for line in lines), ""])
    return text, LIBRARY


@st.composite
def changed(draw: st.DrawFn) -> tuple[str, Path]:
    """A real spec with one to three small changes, as slips of the hand and of the mind make them."""
    path = draw(st.sampled_from([network(name) for name in DRAWN]))
    text = path.read_text(encoding="utf-8")
    text = text.replace("depth: 110", "depth: 8").replace("depth: 10\n", "depth: 2\n")
    for _ in range(draw(st.integers(1, 3))):
        text = draw(slip(text))
    return text, path.parent


@st.composite
def slip(draw: st.DrawFn, text: str) -> str:
    """One change."""
    kind = draw(st.sampled_from(["number", "word", "key", "line", "twice", "swap", "character", "away"]))
    lines = text.split("\n")
    place = draw(st.integers(0, len(lines) - 1))
    if kind == "line":
        return "\n".join(lines[:place] + lines[place + 1 :])
    if kind == "twice":
        return "\n".join([*lines[:place], lines[place], *lines[place:]])
    if kind == "swap":
        other = draw(st.integers(0, len(lines) - 1))
        lines[place], lines[other] = lines[other], lines[place]
        return "\n".join(lines)
    if kind in ("character", "away"):
        at = draw(st.integers(0, max(0, len(text) - 1)))
        new = draw(st.sampled_from(list("{}[]:,$'\"-. #&*!\t0aé"))) if kind == "character" else ""
        return text[:at] + new + text[at + 1 :]
    pattern = {"number": r"\b\d+\b", "word": r"(?<=: )[\w.$/ ]+", "key": r"\b\w+(?=: )"}[kind]
    found = list(re.finditer(pattern, text))
    if not found:
        return text
    match = draw(st.sampled_from(found))
    new = draw(
        {"number": st.integers(0, 20).map(str), "word": st.sampled_from(VALUES)}.get(kind, st.sampled_from(WORDS))
    )
    return text[: match.start()] + new + text[match.end() :]


SPECS = made() | changed()
