"""Every rule reports its bad examples, reports nothing about its good ones, and offers fixes that work."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source, apply_edits
from cnngraph.lint.rule import Rule, all_rules, example_text
from cnngraph.lint.run import MAX_REPORTED, Lint

BAD = [(rule, text) for rule in all_rules() for text in rule.bad]
GOOD = [(rule, text) for rule in all_rules() for text in rule.good]


def linted(text: str, lint: Lint | None = None) -> tuple[Diagnostic, ...]:
    """All diagnostics of a text."""
    compilation = compile_text(Source("net.yaml", text), Path("nowhere"))
    return (lint or Lint(own=True)).run(compilation).diagnostics


def name_of(value: object) -> str | None:
    return type(value).__name__ if isinstance(value, Rule) else ""


@pytest.mark.parametrize(("rule", "example"), BAD, ids=name_of)
def test_a_bad_example_is_reported_by_its_rule_only(rule: Rule, example: str) -> None:
    text = example_text(example)
    found = linted(text)
    assert {warning.code for warning in found} == {rule.code}, [str(warning) for warning in found]
    for warning in found:
        assert not warning.is_error
        assert warning.span is not None
        assert warning.help
        for fix in warning.fixes:
            after = linted(apply_edits(text, fix.edits))
            assert len(after) < len(found)
            assert {warning.code for warning in after} <= {rule.code}


@pytest.mark.parametrize(("rule", "example"), GOOD, ids=name_of)
def test_a_good_example_has_no_warning(rule: Rule, example: str) -> None:
    assert [str(warning) for warning in linted(example_text(example))] == []


@pytest.mark.parametrize("rule", all_rules(), ids=name_of)
def test_a_rule_has_title_explanation_and_examples(rule: Rule) -> None:
    assert re.fullmatch(r"W\d{3}", rule.code)
    assert rule.bad
    assert rule.good
    assert rule.title[0].islower() or rule.title.split()[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.__doc__
    assert len(rule.__doc__.split("\n")) > 2, "the manual says what is reported, why, and when to ignore it"


def test_codes_are_unique() -> None:
    codes = [rule.code for rule in all_rules()]
    assert len(codes) == len(set(codes))


FIXED = ["W320", "W400", "W401", "W402", "W403", "W701"]


@pytest.mark.parametrize("code", FIXED)
def test_some_bad_example_has_a_verified_fix(code: str) -> None:
    (rule,) = (all_rule for all_rule in all_rules() if all_rule.code == code)
    assert any(warning.fixes for example in rule.bad for warning in linted(example_text(example)))


def test_rules_are_imported_lazily() -> None:
    script = "import sys, cnngraph.compilation, cnngraph.lint.run; print([n for n in sys.modules if '.rules.' in n])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_the_number_of_warnings_is_limited() -> None:
    text = f"cnngraph: 1\ninput: [8]\nnodes: [{', '.join(['add'] * 2_000)}]\n"
    assert len(linted(text)) == MAX_REPORTED
