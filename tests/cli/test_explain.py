"""`cnngraph explain`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable

import pytest

from cnngraph.lint.codes import all_codes
from tests.cli.conftest import Cli

CODES = all_codes()


def test_one_code(cli: Cli, golden: Callable[[str, str], None]) -> None:
    ran = cli("explain", "E203")
    assert (ran.code, ran.err) == (0, "")
    golden("help/E203.txt", ran.out)


def test_several_codes_in_lowercase(cli: Cli) -> None:
    ran = cli("explain", "e203", "w320")
    assert ran.code == 0
    assert ran.out.startswith("error[E203]: ")
    assert "\n\nwarning[W320]: " in ran.out


def test_all_codes_are_listed(cli: Cli) -> None:
    ran = cli("explain")
    assert re.findall(r"^  ([EW]\d{3})  ", ran.out, re.MULTILINE) == list(CODES)


@pytest.mark.parametrize(
    ("code", "help"), [("E2O3", "did you mean `E203`?"), ("kernel", "cnngraph explain lists all codes")]
)
def test_unknown_code(cli: Cli, code: str, help: str) -> None:
    ran = cli("explain", code)
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith(f"error: unknown code {code}: {help}\n")


def test_json(cli: Cli) -> None:
    found = json.loads(cli("explain", "E101", "E633", "--format", "json").out)
    assert [entry["code"] for entry in found] == ["E101", "E633"]
    assert list(found[0]) == ["code", "severity", "title", "explanation", "wrong", "right"]
    assert found[0]["wrong"]["commands"] == ["cnngraph check netwrok.yaml"]
    assert found[1]["wrong"] is None
    assert len(json.loads(cli("explain", "--format", "json").out)) == len(CODES)
