"""Generated from the ops: the manual and the JSON schema of their arguments."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest

from cnngraph.fields import fields_of
from cnngraph.ops.manual import CHAPTERS, manual, page
from cnngraph.ops.op import Op
from cnngraph.ops.registry import builtin_ops
from cnngraph.ops.schema import op_schema

OPS = [pytest.param(cls, id=name) for name, cls in builtin_ops().items()]


@pytest.mark.parametrize("cls", OPS)
def test_the_manual_lists_every_parameter(cls: type[Op]) -> None:
    text = page(cls)
    assert f"\n{text}" in manual()
    assert cls.kind in CHAPTERS
    for parameter in fields_of(cls):
        assert f"| `{parameter}` |" in text
    assert text.count("{op: ") >= len(cls.examples)


@pytest.mark.parametrize("cls", OPS)
def test_the_schema_accepts_every_example(cls: type[Op]) -> None:
    schema = op_schema(cls)
    jsonschema.Draft202012Validator.check_schema(schema)
    for example in cls.examples:
        jsonschema.validate(dict(example.arguments), schema)
        jsonschema.validate(dict.fromkeys(example.arguments, "$x + 1"), schema)
    for item in schema["properties"].values():
        assert item["description"]


@pytest.mark.parametrize(
    ("name", "arguments", "fits"),
    [
        ("conv", {"out": "$width // 2", "kernel": [1, "$k"]}, True),
        ("conv", {"out": 64, "kernel": 3, "from": "pool"}, True),
        ("conv", {"kernel": 3}, True),
        ("conv", {"out": 0}, False),
        ("conv", {"out": "wide"}, False),
        ("conv", {"padding": "half"}, True),
        ("conv", {"padding": "halve"}, False),
        ("conv", {"kernel": [1, 2, 3]}, False),
        ("conv", {"bias": 1}, False),
        ("dropout", {"p": 2}, False),
        ("softmax", {"dim": 0}, False),
        ("parameter", {"shape": [], "init": {"normal": {"std": "$s"}}}, True),
        ("parameter", {"init": {"normal": {"sdt": 1}}}, False),
    ],
)
def test_what_the_schema_accepts(name: str, arguments: dict[str, Any], fits: bool) -> None:
    assert jsonschema.Draft202012Validator(op_schema(builtin_ops()[name])).is_valid(arguments) == fits
