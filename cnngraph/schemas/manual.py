"""Generates the manual of JSON documents, `docs/json.md`, from their schemas."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from cnngraph.schemas import DOCUMENTS, document_schema

Json: TypeAlias = dict[str, Any]

INTRODUCTION = """\
# JSON documents

All documents that cnngraph prints with `--format json`, or stores as JSON in a run's folder. This page is generated
from the JSON Schemas (`python -m cnngraph.generate`): `cnngraph schema --list` lists them, and `cnngraph schema KIND`
prints one. Printed documents have exactly these fields. Stored documents are validated when they are read. NaN and
infinite numbers are printed as null.

Lines and columns count from 1, columns in characters; `end_column` is the column after the last character.
`nodes[].path` means the field `path` of each item of the list `nodes`.
"""


def documents_manual() -> str:
    """The whole page."""
    described: set[str] = set()
    return "\n".join([INTRODUCTION, *(line for kind in DOCUMENTS for line in _document(kind, described))])


def _document(kind: str, described: set[str]) -> Iterator[str]:
    """The tables of a document, without definitions that were already described."""
    document, schema = DOCUMENTS[kind], document_schema(kind)
    definitions = schema.get("$defs", {})
    yield f"## {kind}\n"
    origin = f"`{document.origin}`" if document.origin.startswith("cnngraph ") else document.origin
    yield f"{document.about[0].upper()}{document.about[1:]}: {origin}.\n"
    yield from _table(schema, definitions)
    for name, inner in definitions.items():
        if name not in described and any(True for _ in _fields(inner)):
            described.add(name)
            yield f"### {name}\n"
            if "description" in inner:
                yield f"{inner['description']}\n"
            yield from _table(inner, definitions)


def _table(schema: Json, definitions: Json) -> Iterator[str]:
    fields = list(_fields(schema))
    if not fields:
        yield f"{_type(schema, definitions).capitalize()}.\n"
        return
    yield "| field | type | |"
    yield "| --- | --- | --- |"
    for name, inner in fields:
        yield f"| `{name}` | {_type(inner, definitions)} | {inner.get('description', '')} |"
    yield ""


def _fields(schema: Json, above: str = "") -> Iterator[tuple[str, Json]]:
    """The fields of an object and of the objects in it, by path."""
    if "items" in schema:
        yield from _fields(schema["items"], f"{above}[]")
        return
    for name, inner in schema.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield path, inner
        yield from _fields(inner, path)


def _type(schema: Json, definitions: Json) -> str:
    """The type of a value in words; a definition with its own table is referred to by name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"*{name}*" if any(True for _ in _fields(definitions[name])) else _type(definitions[name], definitions)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(inner, definitions) for inner in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    found = schema.get("type", "any")
    names = [found] if isinstance(found, str) else found
    items = schema.get("items")
    types = ["array of " + _type(items, definitions) if name == "array" and items else name for name in names]
    if isinstance(schema.get("additionalProperties"), dict):
        types = [f"object of {_type(schema['additionalProperties'], definitions)} by name"]
    return " or ".join(types)
