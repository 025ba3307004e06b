"""Specs with one error each: one message, at the right line, with a help or a note."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Diagnostic, Source, apply_edits

FOLDER = Path(__file__).parent.parent / "golden" / "errors"

# The code and line of the error in each file.
ERRORS = {
    "anchor": ("E104", 4),
    "block_reaches_itself": ("E306", 4),
    "brace_too_many": ("E102", 4),
    "bracket_in_expression": ("E102", 7),
    "colon_without_space": ("E102", 5),
    "comma_in_expression": ("E105", 6),
    "comma_left_out": ("E102", 4),
    "concat_sizes_differ": ("E203", 19),
    "cycle": ("E315", 6),
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
    "never_used": ("E316", 5),
    "no_nodes": ("E110", 3),
    "no_output": ("E304", 7),
    "open_brace": ("E102", 4),
    "output_of_a_list": ("E322", 8),
    "reads_a_node_outside": ("E301", 12),
    "reads_inside_absent": ("E304", 6),
    "reads_before_the_first_iteration": ("E301", 5),
    "recipe_key": ("E602", 12),
    "reserved_name": ("E302", 6),
    "row_of_a_list": ("E207", 6),
    "share_of_iterations_with_different_inputs": ("E307", 7),
    "share_with_other_width": ("E307", 5),
    "shortcut_without_projection": ("E202", 12),
    "size_does_not_divide": ("E203", 13),
    "slice_of_a_single_tensor": ("E301", 5),
    "two_inputs_for_one": ("E210", 6),
    "unknown_name_in_expression": ("E402", 7),
    "unknown_node": ("E301", 6),
    "unknown_op": ("E313", 11),
    "unknown_param_of_block": ("E207", 17),
    "unknown_parameter": ("E207", 6),
    "when_is_a_number": ("E205", 7),
    "width_not_an_integer": ("E205", 6),
    "window_larger_than_map": ("E204", 7),
}


WITHOUT_FIX = {  # no change of the text is clearly the intended one
    "anchor",
    "block_reaches_itself",
    "hyphen_in_expression",
    "index_out_of_range",
    "name_in_a_list",
    "no_output",
    "output_of_a_list",
    "reads_before_the_first_iteration",
    "reserved_name",
    "share_of_iterations_with_different_inputs",
    "share_with_other_width",
    "shortcut_without_projection",
    "when_is_a_number",
}


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_is_reported_once_at_its_line(
    name: str, golden: Callable[[str, str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(FOLDER)
    found = cnngraph.check(f"{name}.yaml").diagnostics
    assert [(error.code, error.line) for error in found] == [ERRORS[name]]
    golden(f"errors/{name}.txt", f"{found[0]}\n")


def test_every_golden_error_is_listed() -> None:
    assert {path.stem for path in FOLDER.glob("*.yaml")} == set(ERRORS)


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_has_a_help_or_a_note(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    (found,) = cnngraph.check(f"{name}.yaml")
    assert found.help or found.notes


def reported(text: str, name: str) -> list[tuple[str, str]]:
    """Code and message of each error, in order."""
    source = Source(f"{name}.yaml", text)
    found: tuple[Diagnostic, ...] = compile_text(source, FOLDER).diagnostics
    return sorted((error.code, error.message) for error in found)


HIDDEN = {"unknown_param_of_block": ["E203"]}  # the block with its stride lacks a projection of the shortcut


@pytest.mark.parametrize("name", sorted(ERRORS.keys() - WITHOUT_FIX))
def test_every_fix_removes_its_error_and_adds_none(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a fix applied, the file has no errors except others that it had before or that were hidden."""
    monkeypatch.chdir(FOLDER)
    text = Path(f"{name}.yaml").read_text(encoding="utf-8")
    before = reported(text, name)
    (error,) = cnngraph.check(f"{name}.yaml")
    assert error.fixes
    for fix in error.fixes:
        assert {edit.span.file for edit in fix.edits} == {f"{name}.yaml"}
        after = reported(apply_edits(text, fix.edits), name)
        assert [code for code, _ in after if (code, _) not in before] == HIDDEN.get(name, [])
        assert (error.code, error.message) not in after


@pytest.mark.parametrize("name", sorted(WITHOUT_FIX))
def test_an_error_without_a_fix_is_listed(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(FOLDER)
    (error,) = cnngraph.check(f"{name}.yaml")
    assert not error.fixes
