"""No value of a key or parameter causes an exception in the compiler: what it cannot use is an error of the spec."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.fields import fields_of
from cnngraph.language.keys import FILE_KEYS, NODE_KEYS
from cnngraph.ops.registry import builtin_ops

EMPTY = ("[]", "{}", "''", "null", "[[]]", "[{}]", "{a: []}", "[null]")
VALUES = (*EMPTY, "_", "[_]", "-1", "0", ".nan", "1e400", "'${}'")
HEAD = "cnngraph: 1\ninput: [8, 9, 9]\n"
NODES = ("op: relu", "op: relu, repeat: 2", "nodes: [relu]")


def specs(value: str) -> Iterator[str]:
    """A spec for each parameter of an op, key of a node and key of a file that has this value."""
    for name, op in builtin_ops().items():
        for field in fields_of(op):
            yield f"{HEAD}nodes:\n  a: {{op: {name}, {field}: {value}}}\n"
    for key in NODE_KEYS:
        for node in NODES:
            yield f"{HEAD}nodes:\n  a: {{{node}, {key}: {value}}}\n"
    for key in FILE_KEYS:
        keys = {"cnngraph": "1", "input": "[8, 9, 9]", "nodes": "[relu]", key: value}
        yield "".join(f"{name}: {text}\n" for name, text in keys.items())


@pytest.mark.parametrize("value", VALUES)
def test_no_value_causes_an_exception(value: str) -> None:
    tried = 0
    for spec in specs(value):
        tried += 1
        compile_text(Source("t.yaml", spec), Path())
    assert tried > 100
