"""The schemas of printed and stored documents; `tests/cli/conftest.py` validates all JSON output."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import click
import pytest
from jsonschema import Draft202012Validator

from cnngraph.cli.app import app
from cnngraph.schemas import DOCUMENTS, FILES, document_schema
from tests.cli.conftest import Cli, cli, folder  # noqa: F401
from tests.library import ROOT

PRINTED = [kind for kind, document in DOCUMENTS.items() if document.origin.startswith("cnngraph ")]


def subschemas(schema: Any) -> Iterator[dict[str, Any]]:
    """A schema and all its subschemas."""
    if isinstance(schema, dict):
        yield schema
        for inner in schema.values():
            yield from subschemas(inner)
    elif isinstance(schema, list):
        for inner in schema:
            yield from subschemas(inner)


@pytest.mark.parametrize("kind", DOCUMENTS)
def test_documents_have_valid_schemas(kind: str) -> None:
    Draft202012Validator.check_schema(document_schema(kind))


def test_every_schema_file_is_listed() -> None:
    assert {path.name.partition(".")[0] for path in (ROOT / "cnngraph/schemas").glob("*.json")} == set(DOCUMENTS)


@pytest.mark.parametrize("kind", PRINTED)
def test_printed_documents_have_no_additional_fields(kind: str) -> None:
    objects = [
        part for part in subschemas(document_schema(kind)) if part.get("type") == "object" and "properties" in part
    ]
    assert objects
    assert all(part.get("additionalProperties") is False for part in objects)


def test_shared_definitions_are_equal() -> None:
    known: dict[str, Any] = {}
    for kind in PRINTED:
        for name, schema in document_schema(kind).get("$defs", {}).items():
            assert known.setdefault(name, schema) == schema


def test_every_command_with_json_output_has_a_schema() -> None:
    context = click.Context(app)
    commands = {name: app.get_command(context, name) for name in app.list_commands(context)}
    formats = [
        name for name, command in commands.items() if command and any(p.name == "format" for p in command.params)
    ]
    assert set(formats) == {DOCUMENTS[kind].origin.split()[1] for kind in PRINTED}


@pytest.mark.parametrize("kind", [*FILES, *DOCUMENTS])
def test_schema_is_printed(cli: Cli, kind: str) -> None:  # noqa: F811
    assert kind in cli("schema", "--list").out
    assert json.loads(cli("schema", kind).out)["$schema"]


def test_unknown_schema(cli: Cli) -> None:  # noqa: F811
    ran = cli("schema", "chekc")
    assert ran.code == 2
    assert ran.err.startswith("error: invalid value for KIND: unknown kind chekc: did you mean `check`?\n")
