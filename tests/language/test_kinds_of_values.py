"""A key that takes several kinds of value lists all of them when it gets another."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source

PATHS = "must be a path or a list of paths"
CARRIES = "must be one of `last`, `concat`, `none`, or numbers of iterations, counted back: `[1, 2]`"
MATCHED = "must be the name of an op or block, or a path with `*`"
INPUT = "must be [channels, height, width] or [features], or a mapping of names to such shapes"
HEAD = "input: [3, 8, 8]\nnodes: {a: relu, b: {op: conv, out: 3, kernel: 1}}\n"


def node(text: str) -> str:
    return f"input: [3, 8, 8]\nnodes: {{a: relu, b: {{op: conv, out: 3, kernel: 1, {text}}}}}\n"


# The spec without its first line, with ? for the value; the message without the key; values of no kind that it takes.
KEYS = {
    "from": (node("from: ?"), PATHS, ("{}", "null", "[{}]")),
    "else": (node("when: false, else: ?"), PATHS, ("{}", "null", "[{}]")),
    "when": (node("when: ?"), "must be true, false or an expression", ("{}", "[]", "null")),
    "repeat": (
        node("repeat: ?"),
        "must be a number of iterations (an integer of at least 0), or a list with an item for each",
        ("{}", "null", "true", "-1"),
    ),
    "carry": (node("repeat: 2, carry: ?"), CARRIES, ("{}", "null", "true", "first")),
    "gives": (node("repeat: 2, gives: ?"), "must be one of `last`, `all`", ("{}", "null", "[]", "first")),
    "import": (f"{HEAD}import: ?\n", "must be a file or a list of files", ("{}", "null", "[{}]")),
    "training_only": (f"{HEAD}training_only: ?\n", "must be an output or a list of outputs", ("{a: 1}", "[[]]")),
    "outputs": (f"{HEAD}outputs: ?\n", "must be the path of a node, or a mapping (name: path)", ("[]", "true")),
    "train": (f"{HEAD}train: ?\n", "must be a recipe (a mapping), or the name or the file of one", ("[]", "1.5")),
    "inputs": (
        "input: [3]\nblocks: {x: {inputs: ?, nodes: [relu]}}\nnodes: [x]\n",
        "must be a name or a list of names",
        ("{}", "[{}]"),
    ),
    "match": ("extends: resnet18\nchange: {match: ?}\n", MATCHED, ("{}", "[]", "1.5")),
    "input": ("input: ?\nnodes: [relu]\n", INPUT, ("5", "null", "3x8x8")),
    "left": ("input: {left: ?}\nnodes: [relu]\n", "must be [channels, height, width] or [features]", ("5", "{}")),
}


@pytest.mark.parametrize(("key", "value"), [(key, value) for key, (*_, values) in KEYS.items() for value in values])
def test_all_kinds_are_listed(key: str, value: str) -> None:
    text, message, _ = KEYS[key]
    spec = Source("net.yaml", f"cnngraph: 1\n{text.replace('?', value)}")
    (error,) = compile_text(spec, Path()).diagnostics
    assert error.message.startswith(f"`{key}` {message}, got `")
