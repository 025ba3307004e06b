"""The manual of JSON documents, `docs/json.md`, made of their schemas; `cnngraph.generate` writes it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeAlias

from cnngraph.schemas import DOCUMENTS, document_schema

Json: TypeAlias = dict[str, Any]

INTRODUCTION = """\
# JSON documents

The JSON that cnngraph prints with `--format json`, or stores in a run's folder. This page is generated from the JSON
Schemas (`python -m cnngraph.generate`). `cnngraph schema --list` lists them, `cnngraph schema KIND` prints one. Printed
documents have no other fields than these. Stored documents are validated when they are read.

Lines and columns count from 1, columns in characters; the end column of a place is the one after its last character.
Field names such as `nodes[].path` mean the field `path` of each item of the list `nodes`.
"""


def documents_manual() -> str:
    """The whole page."""
    described: set[str] = set()
    return "\n".join([INTRODUCTION, *(line for kind in DOCUMENTS for line in _document(kind, described))])


def _document(kind: str, described: set[str]) -> Iterator[str]:
    """The tables of a document, without those of parts that were described before."""
    document, schema = DOCUMENTS[kind], document_schema(kind)
    parts = schema.get("$defs", {})
    yield f"## {kind}\n"
    origin = f"`{document.origin}`" if document.origin.startswith("cnngraph ") else document.origin
    yield f"{document.about[0].upper()}{document.about[1:]}: {origin}.\n"
    yield from _table(schema, parts)
    for name, inner in parts.items():
        if name not in described and any(True for _ in _fields(inner)):
            described.add(name)
            yield f"### {name}\n"
            if "description" in inner:
                yield f"{inner['description']}\n"
            yield from _table(inner, parts)


def _table(schema: Json, parts: Json) -> Iterator[str]:
    fields = list(_fields(schema))
    if not fields:
        yield f"{_type(schema, parts).capitalize()}.\n"
        return
    yield "| field | type | |"
    yield "| --- | --- | --- |"
    for name, inner in fields:
        yield f"| `{name}` | {_type(inner, parts)} | {inner.get('description', '')} |"
    yield ""


def _fields(schema: Json, above: str = "") -> Iterator[tuple[str, Json]]:
    """The fields of an object, and of objects in it, by their paths."""
    if "items" in schema:
        yield from _fields(schema["items"], f"{above}[]")
        return
    for name, inner in schema.get("properties", {}).items():
        path = f"{above}.{name}" if above else name
        yield path, inner
        yield from _fields(inner, path)


def _type(schema: Json, parts: Json) -> str:
    """What a value is, in words; a part of the document that has a table of its own goes by its name."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"*{name}*" if any(True for _ in _fields(parts[name])) else _type(parts[name], parts)
    if "anyOf" in schema:
        return " or ".join(dict.fromkeys(_type(inner, parts) for inner in schema["anyOf"]))
    if "enum" in schema:
        return ", ".join("null" if value is None else f"`{value}`" for value in schema["enum"])
    found = schema.get("type", "any")
    names = [found] if isinstance(found, str) else found
    items = schema.get("items")
    said = ["array of " + _type(items, parts) if name == "array" and items else name for name in names]
    if isinstance(schema.get("additionalProperties"), dict):
        said = [f"object of {_type(schema['additionalProperties'], parts)} by name"]
    return " or ".join(said)
