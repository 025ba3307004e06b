"""The table of codes is complete and its examples report what they should."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from cnngraph.diagnostics.codes import Code
from cnngraph.errors_page import outcome
from cnngraph.lint.codes import all_codes, all_groups
from tests.library import ROOT

CODES = all_codes()
PACKAGE = ROOT / "cnngraph"
TABLE = PACKAGE / "diagnostics" / "codes"
EXAMPLES = [entry for entry in CODES.values() if entry.wrong]
WITHOUT = [entry for entry in CODES.values() if not entry.wrong]


def codes_in(path: Path) -> set[str]:
    """The codes in the string literals of a module."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    strings = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant) and isinstance(node.value, str))
    return {string for string in strings if re.fullmatch(r"[EW]\d{3}", string)}


def test_the_table_has_exactly_the_codes_of_the_source() -> None:
    modules = (path for path in PACKAGE.rglob("*.py") if TABLE not in path.parents)
    assert set[str]().union(*map(codes_in, modules)) == set(CODES)


def test_codes_are_unique() -> None:
    assert sum(len(group.codes) for group in all_groups()) == len(CODES)


@pytest.mark.parametrize("code", [entry.code for entry in EXAMPLES])
def test_the_wrong_example_reports_only_this_code(code: str) -> None:
    entry = CODES[code]
    assert entry.wrong
    found = outcome(entry.wrong)
    assert set(found.reported) == {code}, found.output
    *before, last = found.exit_codes
    assert not any(before)
    assert last == (1 if entry.severity == "error" else 0)


@pytest.mark.parametrize("code", [entry.code for entry in EXAMPLES])
def test_the_right_example_reports_nothing(code: str) -> None:
    entry = CODES[code]
    assert entry.right
    found = outcome(entry.right)
    assert found.reported == [], found.output
    assert not any(found.exit_codes)


@pytest.mark.parametrize("code", [entry.code for entry in WITHOUT])
def test_a_code_without_an_example_has_a_reason_and_a_test(code: str) -> None:
    entry = CODES[code]
    file, _, name = entry.test.partition("::")
    text = (ROOT / file).read_text(encoding="utf-8")
    (function,) = (node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name)
    assert f'"{code}"' in (ast.get_source_segment(text, function) or "")
    assert entry.without_example.endswith(".")


@pytest.mark.parametrize("entry", CODES.values(), ids=lambda entry: entry.code)
def test_the_form_of_titles_and_explanations(entry: Code) -> None:
    assert not entry.title.endswith(".")
    assert len(entry.title) <= 70
    assert len(re.findall(r"\.(?: |$)", "\n".join(entry.explanation), re.MULTILINE)) >= 2
    assert all(paragraph.endswith((".", ":")) for paragraph in entry.explanation)
