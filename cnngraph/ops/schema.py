"""The JSON schema of an op's words, for editors."""

from __future__ import annotations

from cnngraph.fields import REQUIRED, Json, fields_of
from cnngraph.ops.op import Op

EXPRESSION: Json = {"type": "string", "pattern": "\\$"}


def op_schema(cls: type[Op]) -> Json:
    """The words of an op as an object's properties, each of which may be an expression instead.

    No word is required and no other is forbidden: rows and `first` of a repeat, and blocks of one op, bring words
    from elsewhere, and a node has words of its own beside those of its op.
    """
    properties = {}
    for name, each in fields_of(cls).items():
        properties[name] = {**or_expression(each.kind.schema()), "description": f"{each.doc} ({each.kind.describe()})"}
        if each.default is not REQUIRED:
            properties[name]["default"] = plain(each.default)
    return {"type": "object", "description": summary(cls), "properties": properties}


def or_expression(schema: Json) -> Json:
    """A schema that takes an expression as well, in place of the whole or of a list's item."""
    options = [_inside(each) for each in schema.get("anyOf", [schema])]
    return {"anyOf": [*options, EXPRESSION]}


def _inside(schema: Json) -> Json:
    if "items" in schema:
        return {**schema, "items": or_expression(schema["items"])}
    if "properties" in schema:
        return {**schema, "properties": {name: or_expression(each) for name, each in schema["properties"].items()}}
    if "anyOf" in schema:
        return {**schema, "anyOf": [_inside(each) for each in schema["anyOf"]]}
    return schema


def plain(value: object) -> object:
    """A field's value as an author would give it: two equal sizes are one number, a whole float is an integer."""
    if isinstance(value, tuple):
        items = [plain(each) for each in value]
        return items[0] if len(items) == 2 and items[0] == items[1] else items
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value


def summary(cls: type[Op]) -> str:
    """The first paragraph of an op's manual."""
    return " ".join((cls.__doc__ or "").split("\n\n", 1)[0].split())
