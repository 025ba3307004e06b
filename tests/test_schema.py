"""The JSON schema for editors accepts valid specs and rejects errors of form."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft7Validator
from jsonschema.exceptions import best_match

import cnngraph
from cnngraph.diagnostics import Source
from cnngraph.document import parse
from cnngraph.language.keys import FILE_KEYS, NODE_KEYS
from cnngraph.ops.registry import builtin_ops
from cnngraph.schema import block_keys, node_keys, spec_schema
from tests.cli.conftest import ONE
from tests.cli.networks import ZOO
from tests.library import BLOCKS, DATA, LIBRARY, NETWORKS

SPECS = [*NETWORKS, *BLOCKS, *(DATA / "specs").glob("*.yaml")]


@pytest.fixture(scope="module")
def schema() -> dict[str, Any]:
    return spec_schema()


def schema_error(schema: dict[str, Any], text: str) -> str | None:
    """The first error that a JSON Schema validator reports for a spec."""
    value, errors = parse(Source("spec.yaml", text))
    assert value is not None
    assert not errors
    error = best_match(Draft7Validator(schema).iter_errors(value.plain()))
    return str(error.message) if error else None


def test_spec_schema_is_valid(schema: dict[str, Any]) -> None:
    Draft7Validator.check_schema(schema)


def test_schema_has_every_key(schema: dict[str, Any]) -> None:
    assert list(schema["properties"]) == list(FILE_KEYS)
    assert list(node_keys()) == list(NODE_KEYS)
    assert tuple(block_keys()) == ("params", "inputs")
    assert {f"op_{name}" for name in builtin_ops()} <= set(schema["definitions"])


@pytest.mark.parametrize("path", SPECS, ids=lambda path: path.stem)
def test_every_spec_is_valid(schema: dict[str, Any], path: Path) -> None:
    assert schema_error(schema, path.read_text()) is None


@pytest.mark.parametrize("path", sorted(LIBRARY.glob("recipes/*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid(schema: dict[str, Any], path: Path) -> None:
    assert schema_error({**schema["definitions"]["recipe"]}, path.read_text()) is None


@pytest.mark.parametrize("cls", builtin_ops().values(), ids=lambda cls: cls.name)
def test_every_example_of_an_op_is_valid(schema: dict[str, Any], cls: Any) -> None:
    for example in cls.examples:
        node = {"op": cls.name, **example.arguments}
        spec = {"cnngraph": 1, "input": [1, 1, 1], "nodes": json.loads(json.dumps([node]))}
        assert list(Draft7Validator(schema).iter_errors(spec)) == []


GOOD = [
    ONE,
    ZOO,
    ONE + "train: {data: mnist, epochs: 1, optimizer: adam}\n",
    ONE + "train: digits\n",
    ONE + "paper: Somebody 1990\npublished: {cifar10+: 3, imagenet: 23.85}\n",
    ONE + "outputs: head\ntraining_only: []\n",
    ONE + "outputs: {a: head, b: head.0}\ninit: [{match: conv, weight: {normal: {std: 0.1}}, bias: 0}]\n",
    ONE + "init: [{match: linear, weight: {uniform: {a: -1 / $out ** 0.5, b: 1}}, bias: $out}]\n",
    ONE + 'weights: {renames: {"features.*": "conv.*"}}\n',
    ONE.replace("kernel: 3", "kernel: [$out, 3]").replace("bias: false", "bias: $out == 4"),
    ONE.replace("act: relu", "act: {op: $act, when: $out, else: [], expect: [_, 4, $out]}"),
    ONE.replace("act: relu", "act: {repeat: [{out: 3}, {out: 4}], op: conv, kernel: 1, first: {out: 2}, carry: none}"),
    "{cnngraph: 1, extends: one.yaml, params: {out: 3}}",
    "{cnngraph: 1, blocks: {b: {inputs: [f, x], params: {n: , m: $n + 1}, op: add, from: [f, x]}}, import: other.yaml}",
]


@pytest.mark.parametrize("text", GOOD)
def test_valid_specs(schema: dict[str, Any], text: str) -> None:
    assert schema_error(schema, text) is None


WRONG = {
    "no version": ONE.replace("cnngraph: 1\n", ""),
    "another version": ONE.replace("cnngraph: 1", "cnngraph: 2"),
    "an unknown key of the file": ONE + "node: {}\n",
    "no nodes": "{cnngraph: 1, name: nothing}",
    "no input": ONE.replace("input: [3, 8, 8]\n", ""),
    "an input that is not a shape": ONE.replace("[3, 8, 8]", "3"),
    "an unknown parameter of an op": ONE.replace("kernel: 3", "kernal: 3"),
    "a value of the wrong type": ONE.replace("kernel: 3", "kernel: three"),
    "too small a value": ONE.replace("kernel: 3", "kernel: 0"),
    "a node that does nothing": ONE.replace("act: relu", "act: {from: conv}"),
    "a node that does two things": ONE.replace("act: relu", "act: {op: relu, nodes: [relu]}"),
    "a parameter of a node without op": ONE.replace("act: relu", "act: {nodes: [relu], out: 3}"),
    "an empty node": ONE.replace("act: relu", "act: "),
    "empty nodes": ONE.replace("act: relu", "act: []"),
    "a key of repeat without repeat": ONE.replace("act: relu", "act: {op: relu, first: {}}"),
    "else without when": ONE.replace("act: relu", "act: {op: relu, else: conv}"),
    "an unknown carry": ONE.replace("act: relu", "act: {op: relu, repeat: 2, carry: all}"),
    "an invalid name": ONE.replace("act: relu", "a-: relu"),
    "params of a node": ONE.replace("act: relu", "act: {op: relu, params: {a: 1}}"),
    "a param with the name of a key": ONE.replace("{out: 4}", "{out: 4, repeat: 2}"),
    "a rule of init without match": ONE + "init: [{weight: 1}]\n",
    "an unknown function of init": ONE + "init: [{match: conv, weight: {normall: {std: 1}}}]\n",
    "a recipe with an unknown key": ONE + "train: {data: mnist, epoch: 1, epochs: 1, optimizer: adam}\n",
    "a recipe that lacks a key": ONE + "train: {data: mnist, optimizer: adam}\n",
}


@pytest.mark.parametrize("name", WRONG)
def test_invalid_specs(schema: dict[str, Any], name: str, tmp_path: Path) -> None:
    assert schema_error(schema, WRONG[name])
    (tmp_path / "wrong.yaml").write_text(WRONG[name])  # cnngraph rejects it, too
    assert cnngraph.check(tmp_path / "wrong.yaml")
