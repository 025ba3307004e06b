"""The JSON schema of specs, for editors: made from the words of the language, the ops' fields and the recipe's.

It is JSON schema's draft 7, which editors know best. What hangs on another value (a block's words, shapes, names) is
the validator's to say: the schema takes every good spec, and refuses what is wrong by its form alone.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

from cnngraph.language.model import LANGUAGE_VERSION
from cnngraph.language.nodes import CARRIES, REPEAT_WORDS
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
OVERLAY: Schema = {"type": ["object", "null"]}


def spec_schema(ops: Mapping[str, type[Op]] | None = None) -> Schema:
    """The schema of a spec, with the built-in ops and those of plugins."""
    known = {**builtin_ops(), **(ops or {})}
    return {
        "$schema": DIALECT,
        "title": f"A cnngraph spec, version {LANGUAGE_VERSION} of the language",
        "type": "object",
        "properties": _file_words(),
        "required": ["cnngraph"],
        "additionalProperties": False,
        "anyOf": [{"required": ["nodes", "input"]}, {"required": ["blocks"]}, {"required": ["extends"]}],
        "definitions": {
            "node": _body("node_table", "Runs an op or a block, or the nodes of its own list or mapping."),
            "node_table": {**_table(known, node_words()), "not": _any_of(block_words())},
            "block": _body("block_table", "A node with blanks: what it leaves open are its params."),
            "block_table": _table(known, {**node_words(), **block_words()}),
            **{f"op_{name}": _words_of(cls) for name, cls in known.items()},
            "nodes": _nodes(),
            "params": _params(),
            "recipe": recipe_schema(),
            "initial": or_expression(init_schema()),
        },
    }


def recipe_file_schema() -> Schema:
    """The schema of a recipe in a file of its own."""
    return {"$schema": DIALECT, "title": "A cnngraph recipe", **recipe_schema()}


def _file_words() -> Schema:
    words: dict[str, tuple[Schema, str]] = {
        "cnngraph": ({"const": LANGUAGE_VERSION}, "The language's version."),
        "name": (TEXT, "The network's name; by default the file's."),
        "about": (TEXT, "What the network is, and what is special about it."),
        "paper": (TEXT, "Where it comes from: authors, year, title."),
        "published": (PUBLISHED, "Published top-1 errors in percent, by data set: {imagenet: 23.85}."),
        "input": (
            {"anyOf": [SIZES, {"type": "object", "additionalProperties": SIZES, "propertyNames": NAME}]},
            "[channels, height, width] of one image, or several inputs by name: {left: [..], right: [..]}.",
        ),
        "params": (_ref("params"), "Values that --set changes; a default may be an expression over earlier params."),
        "import": (TEXTS, "Files whose blocks are taken; looked up beside this file, then in the library."),
        "extends": (
            TEXT,
            "A file, or a network of the library by name, that this one is, but for what is said here.",
        ),
        "blocks": (
            {"type": ["object", "null"], "additionalProperties": _ref("block"), "propertyNames": NAME},
            "Nodes with blanks, by name; each can be used as an op.",
        ),
        "nodes": (_ref("nodes"), "The network, in the order of its modules."),
        "outputs": (
            {"anyOf": [PATH, {"type": ["object", "null"], "additionalProperties": PATH, "propertyNames": NAME}]},
            "What the network gives, by name: {logits: fc}. By default its last node.",
        ),
        "training_only": (TEXTS, "Outputs that are computed in training mode only, with what only they need."),
        "init": (_init(), "How weights are filled at first; the last rule that fits a module sets it."),
        "weights": (_weights(), "Names of published weights that differ: {renames: {theirs: ours}}."),
        "train": (
            {"anyOf": [_ref("recipe"), {"enum": recipe_names()}, TEXT]},
            "The training recipe, or the name of a recipe's file.",
        ),
    }
    return _described(words)


def node_words() -> Schema:
    """The language's words on a node, as properties."""
    words: dict[str, tuple[Schema, str]] = {
        "op": (TEXT, "An op, a block, or an expression for the name of one."),
        "from": (PATHS, "What it reads: paths. By default the node above, or `in`."),
        "when": (CONDITION, "An expression; where it is false the node is absent, a wire for its first input."),
        "else": (PATHS, "What stands for the node where it is absent; [] for nothing."),
        "nodes": (_ref("nodes"), "A scope of its own; its value is its last node."),
        "repeat": (
            {"type": ["string", "integer", "array"], "minimum": 0},
            "A number of rounds or a list of rows. $i is the index from 0, $item the element.",
        ),
        "first": (OVERLAY, "Words of the first round."),
        "last": (OVERLAY, "Words of the last round."),
        "carry": (
            {"enum": list(CARRIES)},
            "What the next round reads: the round before, the concat of all so far, or the repeat's own input.",
        ),
        "name": (PATH, "The first round's name; the number at its end counts on."),
        "flat": ({"type": "boolean"}, "Drops one level of names."),
        "expect": (
            {"anyOf": [{"type": "array", "items": _expected()}, EXPRESSION]},
            "The shape that must come out: [channels, height, width], _ for any.",
        ),
        "share": (PATH, "Runs the module of that node again, weights included."),
        "unused": ({"type": "boolean"}, "Built for its keys and never run."),
    }
    return _described(words)


def block_words() -> Schema:
    """The words that a block has beside those of a node, as properties."""
    words: dict[str, tuple[Schema, str]] = {
        "params": (_ref("params"), "What a use fills in; one without a value must be given."),
        "inputs": (TEXTS, "Names of several inputs."),
    }
    return _described(words)


def _expected() -> Schema:
    size = [{"type": "integer", "minimum": 0}, {"const": "_"}, EXPRESSION]
    return {"anyOf": [*size, {"type": "array", "items": {"anyOf": size}}]}


def _table(ops: Mapping[str, type[Op]], words: Schema) -> Schema:
    """A node as a mapping: one of op, nodes and share, and the words that go with it."""
    named = {**words, "op": {**words["op"], "anyOf": [{"enum": list(ops)}, TEXT]}}
    choices = [
        {"if": {"properties": {"op": {"const": name}}, "required": ["op"]}, "then": _ref(f"op_{name}")} for name in ops
    ]
    bare = {"if": {"not": {"required": ["op"]}}, "then": {"propertyNames": {"enum": list(words)}}}
    return {
        "type": "object",
        "properties": named,
        "oneOf": [{"required": ["op"]}, {"required": ["nodes"]}, {"required": ["share"]}],
        "dependencies": {**{word: ["repeat"] for word in REPEAT_WORDS}, "else": ["when"]},
        "allOf": [bare, *choices],
    }


def _words_of(cls: type[Op]) -> Schema:
    """The words that a node of an op may have; those of the language are described elsewhere."""
    schema = op_schema(cls)
    language = {**node_words(), **block_words()}
    return {
        "description": schema["description"],
        "properties": {**schema["properties"], **dict.fromkeys(language, True)},
        "additionalProperties": False,
    }


def _any_of(words: Iterable[str]) -> Schema:
    return {"anyOf": [{"required": [word]} for word in words]}


def _body(table: str, description: str) -> Schema:
    short = {"type": "string", "minLength": 1, "description": "The name of an op or block."}
    return {
        "description": description,
        "anyOf": [short, _ref(table), {"type": "array", "items": _ref("node"), "minItems": 1}],
    }


def _nodes() -> Schema:
    named = {"type": "object", "additionalProperties": _ref("node"), "propertyNames": NODE_NAME, "minProperties": 1}
    return {"anyOf": [named, {"type": "array", "items": _ref("node"), "minItems": 1}]}


def _params() -> Schema:
    reserved = {"not": {"enum": [*node_words(), "params", "inputs", "in", "i", "item"]}}
    return {"type": ["object", "null"], "propertyNames": {**NAME, **reserved}}


def _init() -> Schema:
    rule = {
        "type": "object",
        "properties": {"match": {**TEXT, "description": "An op, or a path with *."}},
        "required": ["match"],
        "additionalProperties": or_expression(_ref("initial")),
    }
    return {"anyOf": [rule, {"type": "array", "items": rule}]}


def _weights() -> Schema:
    renames = {"type": ["object", "null"], "additionalProperties": TEXT}
    return {"type": ["object", "null"], "properties": {"renames": renames}, "additionalProperties": False}


def _described(words: Mapping[str, tuple[Schema, str]]) -> Schema:
    return {name: {"description": text, **schema} for name, (schema, text) in words.items()}


def _ref(name: str) -> Schema:
    return {"allOf": [{"$ref": f"#/definitions/{name}"}]}  # beside a bare $ref, draft 7 ignores a description
