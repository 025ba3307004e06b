"""The JSON schema of specs, for editors, generated from the keys of the language and the fields of ops and recipes.

It is a draft 7 schema, the version with the best editor support. It accepts every valid spec and rejects errors of
form; whatever depends on other values (a block's params, shapes, names) is left to `cnngraph check`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from cnngraph.language.keys import (
    BODIES,
    CARRIES,
    CHANGE_KEYS,
    FILE_KEYS,
    GIVES,
    NODE_KEYS,
    OWN_BLOCK_KEYS,
    REPEAT_KEYS,
    RESERVED_PARAMS,
    Key,
)
from cnngraph.language.model import LANGUAGE_VERSION
from cnngraph.language.parse import DATA_SET
from cnngraph.ops.init import init_schema
from cnngraph.ops.op import Op
from cnngraph.ops.registry import builtin_ops
from cnngraph.ops.schema import EXPRESSION, op_schema, or_expression
from cnngraph.recipe import recipe_names, recipe_schema

Schema: TypeAlias = dict[str, Any]

DIALECT = "http://json-schema.org/draft-07/schema#"
NAME: Schema = {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
NODE_PART = "([A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*|[0-9]+)"
NODE_NAME: Schema = {"pattern": rf"^{NODE_PART}(\.{NODE_PART})*$"}
TEXT: Schema = {"type": "string"}
PATH: Schema = {"type": ["string", "integer"], "minimum": 0}
PATHS: Schema = {"anyOf": [PATH, {"type": "array", "items": PATH}]}
TEXTS: Schema = {"anyOf": [TEXT, {"type": "array", "items": TEXT}]}
CONDITION: Schema = {"type": ["string", "boolean", "number"]}
SIZE: Schema = {"anyOf": [{"type": "integer", "minimum": 1}, EXPRESSION]}
SIZES: Schema = {"anyOf": [{"type": "array", "items": SIZE, "minItems": 1}, EXPRESSION]}
PUBLISHED: Schema = {
    "type": ["object", "null"],
    "additionalProperties": {"type": "number", "minimum": 0, "maximum": 100},
    "propertyNames": {"pattern": f"^{DATA_SET.pattern}$"},
}
IGNORE: Schema = {
    "type": ["object", "null"],
    "additionalProperties": {"type": "string", "pattern": "\\S"},
    "propertyNames": {"pattern": "^W[0-9]{3}$"},
}
OVERLAY: Schema = {"type": ["object", "null"]}


def spec_schema(ops: Mapping[str, type[Op]] | None = None) -> Schema:
    """The schema of a spec, with the built-in ops and `ops`."""
    known = {**builtin_ops(), **(ops or {})}
    return {
        "$schema": DIALECT,
        "title": f"A cnngraph spec, version {LANGUAGE_VERSION} of the language",
        "type": "object",
        "properties": _file_keys(),
        "required": ["cnngraph"],
        "additionalProperties": False,
        "anyOf": [{"required": ["nodes", "input"]}, {"required": ["blocks"]}, {"required": ["extends"]}],
        "definitions": {
            "node": _body("node_table", "A node: an op, a block, or a list or mapping of inner nodes."),
            "node_table": {**_node_mapping(known, node_keys()), "not": _any_of(block_keys())},
            "block": _body("block_table", "A block: a reusable node with params."),
            "block_table": _node_mapping(known, {**node_keys(), **block_keys()}),
            **{f"op_{name}": _op_keys(cls) for name, cls in known.items()},
            "nodes": _nodes(),
            "change": _change(),
            "params": _params(),
            "recipe": recipe_schema(),
            "initial": or_expression(init_schema()),
        },
    }


def recipe_file_schema() -> Schema:
    """The schema of a recipe in a file of its own."""
    return {"$schema": DIALECT, "title": "A cnngraph recipe", **recipe_schema()}


def _file_keys() -> Schema:
    schemas: dict[str, Schema] = {
        "cnngraph": {"const": LANGUAGE_VERSION},
        "name": TEXT,
        "about": TEXT,
        "paper": TEXT,
        "published": PUBLISHED,
        "input": {"anyOf": [SIZES, {"type": "object", "additionalProperties": SIZES, "propertyNames": NAME}]},
        "params": _ref("params"),
        "import": TEXTS,
        "extends": TEXT,
        "blocks": {"type": ["object", "null"], "additionalProperties": _ref("block"), "propertyNames": NAME},
        "nodes": _ref("nodes"),
        "change": {"anyOf": [_ref("change"), {"type": "array", "items": _ref("change")}]},
        "outputs": {"anyOf": [PATH, {"type": ["object", "null"], "additionalProperties": PATH, "propertyNames": NAME}]},
        "training_only": TEXTS,
        "init": _init(),
        "weights": _weights(),
        "train": {"anyOf": [_ref("recipe"), {"enum": recipe_names()}, TEXT]},
        "ignore": IGNORE,
    }
    return _described(FILE_KEYS, schemas)


def node_keys() -> Schema:
    """The keys of a node, as properties."""
    schemas: dict[str, Schema] = {
        "op": TEXT,
        "from": PATHS,
        "when": CONDITION,
        "else": PATHS,
        "nodes": _ref("nodes"),
        "repeat": {"type": ["string", "integer", "array"], "minimum": 0},
        "first": OVERLAY,
        "last": OVERLAY,
        "carry": {"anyOf": [{"enum": list(CARRIES)}, SIZE, {"type": "array", "items": SIZE, "minItems": 1}]},
        "gives": {"enum": list(GIVES)},
        "name": PATH,
        "flat": {"type": "boolean"},
        "expect": {"anyOf": [{"type": "array", "items": _expected()}, EXPRESSION]},
        "share": PATH,
        "net": TEXT,
        "until": PATH,
        "unused": {"type": "boolean"},
        "ignore": IGNORE,
    }
    return _described(NODE_KEYS, schemas)


def block_keys() -> Schema:
    """The keys that a block has in addition to those of a node, as properties."""
    return _described(OWN_BLOCK_KEYS, {"params": _ref("params"), "inputs": TEXTS})


def _expected() -> Schema:
    size = [{"type": "integer", "minimum": 0}, {"const": "_"}, EXPRESSION]
    return {"anyOf": [*size, {"type": "array", "items": {"anyOf": size}}]}


def _node_mapping(ops: Mapping[str, type[Op]], keys: Schema) -> Schema:
    """A node as a mapping: exactly one of its bodies, and the keys that are valid with it."""
    properties = {**keys, "op": {**keys["op"], "anyOf": [{"enum": list(ops)}, TEXT]}}
    choices = [
        {"if": {"properties": {"op": {"const": name}}, "required": ["op"]}, "then": _ref(f"op_{name}")} for name in ops
    ]
    with_params = _any_of(["op", "net"])
    bare = {"if": {"not": with_params}, "then": {"propertyNames": {"enum": list(keys)}}}
    return {
        "type": "object",
        "properties": properties,
        "oneOf": [{"required": [body]} for body in BODIES],
        "dependencies": {**{key: ["repeat"] for key in REPEAT_KEYS}, "else": ["when"], "until": ["net"]},
        "allOf": [bare, *choices],
    }


def _op_keys(cls: type[Op]) -> Schema:
    """The keys that a node with this op can have: the op's parameters, and those of the language."""
    schema = op_schema(cls)
    language = {**node_keys(), **block_keys()}
    return {
        "description": schema["description"],
        "properties": {**schema["properties"], **dict.fromkeys(language, True)},
        "additionalProperties": False,
    }


def _any_of(keys: Iterable[str]) -> Schema:
    return {"anyOf": [{"required": [key]} for key in keys]}


def _body(mapping: str, description: str) -> Schema:
    short = {"type": "string", "minLength": 1, "description": "The name of an op or block."}
    return {
        "description": description,
        "anyOf": [short, _ref(mapping), {"type": "array", "items": _ref("node"), "minItems": 1}],
    }


def _nodes() -> Schema:
    named = {"type": "object", "additionalProperties": _ref("node"), "propertyNames": NODE_NAME, "minProperties": 1}
    return {"anyOf": [named, {"type": "array", "items": _ref("node"), "minItems": 1}]}


def _params() -> Schema:
    reserved = {"not": {"enum": list(RESERVED_PARAMS)}}
    return {"type": ["object", "null"], "propertyNames": {**NAME, **reserved}}


def _init() -> Schema:
    rule = {
        "type": "object",
        "properties": {"match": {**TEXT, "description": "An op, or a path that may contain * and **."}},
        "required": ["match"],
        "additionalProperties": or_expression(_ref("initial")),
    }
    return {"anyOf": [rule, {"type": "array", "items": rule}]}


def _change() -> Schema:
    schemas: dict[str, Schema] = {
        "match": TEXT,
        "op": TEXT,
        "remove": {"type": "boolean"},
        "before": _ref("nodes"),
        "after": _ref("nodes"),
        "replace": _ref("node"),
    }
    return {
        "type": "object",
        "properties": _described(CHANGE_KEYS, schemas),
        "required": ["match"],
        "minProperties": 2,
    }


def _weights() -> Schema:
    renames = {"type": ["object", "null"], "additionalProperties": TEXT}
    return {"type": ["object", "null"], "properties": {"renames": renames}, "additionalProperties": TEXT}


def _described(keys: Mapping[str, Key], schemas: Mapping[str, Schema]) -> Schema:
    return {name: {"description": key.doc.replace("`", ""), **schemas[name]} for name, key in keys.items()}


def _ref(name: str) -> Schema:
    return {"allOf": [{"$ref": f"#/definitions/{name}"}]}  # draft 7 ignores a description next to a bare $ref
