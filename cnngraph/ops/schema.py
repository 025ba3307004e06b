"""The JSON schema of an op's parameters, for editors."""

from __future__ import annotations

from cnngraph.fields import REQUIRED, Json, fields_of
from cnngraph.ops.op import Op

EXPRESSION: Json = {"type": "string", "pattern": "\\$"}


def op_schema(cls: type[Op]) -> Json:
    """The parameters of an op as properties of an object; each value may be an expression instead.

    No property is required and no other is forbidden: the rows and `first` of a repeat, and blocks with a single op,
    supply parameters from elsewhere, and a node has keys besides the parameters of its op.
    """
    properties = {}
    for name, field in fields_of(cls).items():
        description = f"{field.doc} ({field.kind.describe()})"
        properties[name] = {**or_expression(field.kind.schema()), "description": description}
        if field.default is not REQUIRED:
            properties[name]["default"] = plain(field.default)
    return {"type": "object", "description": summary(cls), "properties": properties}


def or_expression(schema: Json) -> Json:
    """A schema that also accepts an expression, instead of the value or of an item of a list."""
    options = [_nested_or_expression(option) for option in schema.get("anyOf", [schema])]
    return {"anyOf": [*options, EXPRESSION]}


def _nested_or_expression(schema: Json) -> Json:
    if "items" in schema:
        return {**schema, "items": or_expression(schema["items"])}
    if "properties" in schema:
        properties = {name: or_expression(inner) for name, inner in schema["properties"].items()}
        return {**schema, "properties": properties}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_nested_or_expression(option) for option in schema["anyOf"]]}
    return schema


def plain(value: object) -> object:
    """A field's value as an author would write it: a pair of equal sizes as one number, 2.0 as 2."""
    if isinstance(value, tuple):
        items = [plain(item) for item in value]
        return items[0] if len(items) == 2 and items[0] == items[1] else items
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def summary(cls: type[Op]) -> str:
    """The first paragraph of an op's docstring, on one line."""
    return " ".join((cls.__doc__ or "").split("\n\n", 1)[0].split())
