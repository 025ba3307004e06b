"""What the command line prints: JSON, and advice below a diagnostic."""

from __future__ import annotations

import json
from math import inf, nan

from cnngraph.cli.messages import json_text
from cnngraph.diagnostics import Diagnostic, Edit, Fix, Question, Source, Span, Suggestion
from cnngraph.fixes.apply import Applied

SPAN = Span(Source("net.yaml", "kernal: 3"), 1, 1, 1, 7)


def test_json_has_null_for_nan_and_infinite_numbers() -> None:
    value = {"loss": nan, "rows": [1.5, -inf, (inf, 2)], "name": "NaN", "ok": True}
    text = json_text(value)
    assert json.loads(text, parse_constant=lambda name: name) == {
        "loss": None,
        "rows": [1.5, None, [None, 2]],
        "name": "NaN",
        "ok": True,
    }


def test_a_verified_fix_has_a_label_of_its_own() -> None:
    fix = Fix(Suggestion("kernel"), (Edit(SPAN, "kernel"),))
    guess = Diagnostic("E207", "wrong", SPAN, help=Suggestion("kernel"))
    verified = Diagnostic("E207", "wrong", SPAN, help=fix.title, fixes=(fix,))
    assert list(guess.advice()) == ["help: did you mean `kernel`?"]
    assert list(verified.advice()) == ["fix: replace `kernal` with `kernel`"]


def test_advice_is_printed_with_a_fix_unless_it_states_it() -> None:
    fix = Fix(Question("`from: [a, b]`"), (Edit(SPAN, "[a, b]"),))
    other = Diagnostic("W401", "wrong", SPAN, help="list all inputs", fixes=(fix,))
    same = Diagnostic("W401", "wrong", SPAN, help="write `from: [a, b]`", fixes=(fix,))
    assert list(other.advice()) == ["help: list all inputs", "fix: use `from: [a, b]`"]
    assert list(same.advice()) == ["fix: write `from: [a, b]`"]


def test_the_place_of_an_applied_fix_is_printed_once() -> None:
    title = "add `stride: 1` to the `conv` at net.yaml:28"
    assert str(Applied("net.yaml", 28, title)) == "net.yaml:28: add `stride: 1` to the `conv`"
    assert str(Applied("net.yaml", 2, title)) == "net.yaml:2: add `stride: 1` to the `conv` on line 28"
