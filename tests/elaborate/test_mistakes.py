"""Specs with one planted error each: one message, at the right line, that a reader can act on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source, apply_edits

MISTAKES = Path(__file__).parent.parent / "golden" / "mistakes"

# The code, and the line that the author has to look at.
PLANTED = {
    "anchor": ("E104", 4),
    "block_reaches_itself": ("E306", 4),
    "brace_too_many": ("E102", 4),
    "bracket_in_expression": ("E102", 7),
    "circle": ("E315", 6),
    "colon_without_space": ("E102", 5),
    "comma_in_expression": ("E105", 6),
    "comma_left_out": ("E102", 4),
    "concat_sizes_differ": ("E203", 19),
    "duplicate_key": ("E103", 7),
    "expect_fails": ("E209", 7),
    "gate_of_unequal_widths": ("E202", 5),
    "groups_do_not_divide": ("E208", 6),
    "hyphen_in_expression": ("E401", 5),
    "indentation": ("E102", 5),
    "index_out_of_range": ("E404", 7),
    "init_parameter": ("E702", 11),
    "input_without_channels": ("E107", 2),
    "linear_without_flatten": ("E211", 8),
    "missing_param": ("E206", 17),
    "name_in_a_list": ("E102", 5),
    "no_output": ("E304", 7),
    "no_nodes": ("E110", 3),
    "nobody_reads": ("E316", 5),
    "open_brace": ("E102", 4),
    "output_of_a_list": ("E322", 8),
    "reads_a_node_outside": ("E301", 12),
    "reads_inside_absent": ("E304", 6),
    "recipe_word": ("E602", 12),
    "reserved_name": ("E302", 6),
    "row_of_a_table": ("E207", 6),
    "share_of_rounds_with_own_inputs": ("E307", 7),
    "share_with_other_width": ("E307", 5),
    "shortcut_without_projection": ("E202", 12),
    "size_does_not_divide": ("E203", 13),
    "two_inputs_for_one": ("E210", 6),
    "unknown_name_in_expression": ("E402", 7),
    "unknown_node": ("E301", 6),
    "unknown_op": ("E313", 11),
    "unknown_param_of_block": ("E207", 17),
    "unknown_word": ("E207", 6),
    "when_is_a_number": ("E205", 7),
    "width_not_whole": ("E205", 6),
    "window_larger_than_map": ("E204", 7),
}


WITHOUT_FIX = {  # no change of the text is clearly what the author meant
    "anchor",
    "block_reaches_itself",
    "hyphen_in_expression",
    "index_out_of_range",
    "name_in_a_list",
    "no_output",
    "output_of_a_list",
    "reserved_name",
    "share_of_rounds_with_own_inputs",
    "share_with_other_width",
    "shortcut_without_projection",
    "when_is_a_number",
}


@pytest.mark.parametrize("name", PLANTED)
def test_one_error_is_one_message_at_its_line(
    name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(MISTAKES)
    found = cnngraph.check(f"{name}.yaml").diagnostics
    assert [(error.code, error.line) for error in found] == [PLANTED[name]]
    golden(f"mistakes/{name}.txt", f"{found[0]}\n")


def test_every_planted_error_is_tested() -> None:
    assert {path.stem for path in MISTAKES.glob("*.yaml")} == set(PLANTED)


@pytest.mark.parametrize("name", PLANTED)
def test_a_message_says_how_to_go_on(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MISTAKES)
    (found,) = cnngraph.check(f"{name}.yaml")
    assert found.help or found.notes


def told(text: str, name: str) -> list[tuple[str, str]]:
    """Code and message of each error, in order."""
    source = Source(f"{name}.yaml", text)
    found: tuple[Diagnostic, ...] = compile_text(source, MISTAKES).diagnostics
    return sorted((error.code, error.message) for error in found)


HIDDEN = {"unknown_param_of_block": ["E203"]}  # the block with its stride lacks a projection of the shortcut


@pytest.mark.parametrize("name", sorted(PLANTED.keys() - WITHOUT_FIX))
def test_every_fix_removes_the_error_and_brings_no_other(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fix applied, the file is fine, or has only other errors that it had before or that were hidden."""
    monkeypatch.chdir(MISTAKES)
    text = Path(f"{name}.yaml").read_text(encoding="utf-8")
    before = told(text, name)
    (error,) = cnngraph.check(f"{name}.yaml")
    assert error.fixes
    for fix in error.fixes:
        assert {edit.span.file for edit in fix.edits} == {f"{name}.yaml"}
        after = told(apply_edits(text, fix.edits), name)
        assert [code for code, _ in after if (code, _) not in before] == HIDDEN.get(name, [])
        assert (error.code, error.message) not in after


@pytest.mark.parametrize("name", sorted(WITHOUT_FIX))
def test_an_error_without_a_fix_is_listed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(MISTAKES)
    (error,) = cnngraph.check(f"{name}.yaml")
    assert not error.fixes
