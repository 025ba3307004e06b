"""Typos, including those from editors and habits of other formats: one error, at the right character."""

from __future__ import annotations

from pathlib import Path

import pytest

import cnngraph
from cnngraph.characters import LATIN, OPERATORS, QUOTES
from cnngraph.diagnostics import Diagnostic, Severity

HEAD = "cnngraph: 1\ninput: [3, 32, 32]\n"

# The text from line 3 on; code, line and column; parts of the message and of the help.
SLIPS = {
    "nbsp_in_indentation": (
        "nodes:\n  a: relu\n\u00a0 b: tanh\n", "E102", 5, 1, "U+00A0 (non-breaking space)", "b: tanh|b",
    ),
    "nbsp_after_colon": ("nodes: [{op: conv, out:\u00a08, kernel: 3}]\n", "E102", 3, 24, "non-breaking space", "out: 8"),
    "nbsp_in_value": ("nodes: [relu\u00a0]\n", "E102", 3, 13, "non-breaking space", "relu"),
    "ideographic_space": ("nodes:\n  a:\u3000relu\n", "E102", 4, 5, "U+3000 (ideographic space)", "a: relu"),
    "zero_width_space": ("nodes: [relu\u200b]\n", "E102", 3, 13, "U+200B (zero width space)", "relu"),
    "soft_hyphen": ("nodes: [batch\u00ad_norm]\n", "E102", 3, 14, "U+00AD", "batch_norm"),
    "byte_order_mark_inside": ("nodes: [\ufeffrelu]\n", "E102", 3, 9, "U+FEFF", "relu"),
    "cyrillic_in_op": ("nodes: [{op: \u0441onv, out: 4, kernel: 1}]\n", "E102", 3, 14, "Cyrillic small letter es", "conv"),
    "cyrillic_in_word": ("nodes: [{op: conv, \u043eut: 4, kernel: 1}]\n", "E102", 3, 20, "Cyrillic small letter o", "out"),
    "cyrillic_word": ("nodes: [{\u043e\u0440: relu}]\n", "E102", 3, 10, "Cyrillic", "op"),
    "greek_in_node": ("nodes:\n  c\u03bfnv: relu\n", "E102", 4, 4, "Greek small letter omicron", "conv"),
    "full_width_colon": ("nodes:\n  a\uff1a relu\n  b: tanh\n", "E102", 4, 4, "U+FF1A (fullwidth colon)", "a: relu"),
    "full_width_comma": ("nodes: [relu\uff0c tanh]\n", "E102", 3, 13, "fullwidth comma", "relu, tanh"),
    "curly_quotes": ("nodes: [\u201crelu\u201d]\n", "E102", 3, 9, "left double quotation mark", '"relu"'),
    "minus_sign": (
        "params: {w: 8}\nnodes: [{op: conv, out: $w \u2212 4, kernel: 1}]\n", "E102", 4, 28, "minus sign", "$w - 4",
    ),
    "colon_glued_in_flow": ("nodes: [{op: conv, out: 8, kernel:3}]\n", "E102", 3, 34, "missing space after a colon", "kernel: 3"),
    "colon_glued_at_the_top": ("params:{a: 1}\nnodes: [relu]\n", "E102", 3, 7, "missing space after a colon", "params: {a"),
    "dash_glued": ("nodes:\n  -relu\n  -tanh\n", "E102", 4, 3, "missing space after a dash", "- relu"),
    "dash_glued_to_a_mapping": ("nodes:\n -op: conv\n  out: 8\n", "E102", 4, 2, "missing space after a dash", "- op"),
    "comma_missing_in_numbers": (
        "params: {w: [64 128, 256]}\nnodes: [{op: conv, out: $w.0, kernel: 1}]\n",
        "E102", 3, 14, "missing comma between `64` and `128`", "`64, 128`",
    ),
    "comment_glued": ("nodes:\n  a: relu# why\n", "E102", 4, 10, "missing space before a comment", "relu  # why"),
    "windows_path": (
        'train: {data: {name: folder, path: "C:\\data"}, epochs: 1, optimizer: adam}\nnodes: [relu]\n',
        "E102", 3, 39, r"`\d` is not an escape sequence", "single quotes",
    ),
    "windows_path_with_escapes": (
        'train: {data: {name: folder, path: "C:\\new"}, epochs: 1, optimizer: adam}\nnodes: [relu]\n',
        "E102", 3, 36, "a backslash starts an escape sequence", "single quotes",
    ),
    "apostrophe": ("about: 'It's one'\nnodes: [relu]\n", "E102", 3, 11, "the string ends at this quote", "\"It's one\""),
    "quotes_in_quotes": ('about: "a "b" c"\nnodes: [relu]\n', "E102", 3, 11, "the string ends at this quote", "'a \"b\" c'"),
    "colon_in_a_text": ("about: Net: one\nnodes: [relu]\n", "E102", 3, 11, "second colon", 'about: "Net: one"'),
    "begins_with_at": ("paper: @misc{x}\nnodes: [relu]\n", "E102", 3, 8, "cannot start with `@`", '"@misc{x}"'),
    "begins_with_percent": ("about: %50\nnodes: [relu]\n", "E102", 3, 8, "cannot start with `%`", '"%50"'),
    "star": ("nodes: [relu]\ninit: [{match: *.conv, bias: 0}]\n", "E102", 4, 16, "cannot start with `*`", '"*.conv"'),
    "null_byte": ("nodes: [relu]\n\0", "E102", 4, 1, "U+0000", "remove it"),
    "yes_as_condition": ("nodes: [{op: relu, when: yes}]\n", "E401", 3, 26, "yes", "write `true`"),
    "no_as_truth": ("nodes: [{op: conv, out: 4, kernel: 1, bias: No}]\n", "E205", 3, 45, "true or false", "write `false`"),
    "none_as_number": (
        "nodes: [{op: conv, out: 4, kernel: 1, padding: None}]\n", "E205", 3, 48, "None", "leave it out",
    ),
    "none_where_null_may_be": (
        "nodes: [{op: max_pool, kernel: 2, stride: None}]\n", "E205", 3, 43, "None", "write `null`",
    ),
    "float_for_integer": ("nodes: [{op: conv, out: 4.0, kernel: 1}]\n", "E205", 3, 25, "4.0", "write `4`"),
    "op_misspelt": ("nodes:\n  g: {ot: gate, from: [in, in], mode: exclusive}\n", "E110", 4, 7, "ot", "did you mean `op`"),
    "params_misspelt": (
        "parms: {w: 4, k: 1}\nnodes: [{op: conv, out: $w, kernel: $k}, {op: conv, out: $w, kernel: $k}]\n",
        "E110", 3, 1, "parms", "did you mean `params`",
    ),
    "blocks_misspelt": (
        "block: {unit: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 1}]}}\n"
        "nodes: [{op: unit, out: 4}, {op: unit, out: 8}]\n",
        "E110", 3, 1, "block", "did you mean `blocks`",
    ),
    "block_head": (
        "blocks: {unit: {flat: yes, params: {out: }, nodes: [{op: conv, out: $out, kernel: 1}]}}\n"
        "nodes: [{op: unit, out: 4}, {op: unit, out: 8}]\n",
        "E109", 3, 23, "flat", "write `true`",
    ),
    "block_without_a_body": ("blocks: {unit: {ops: relu}}\nnodes: [unit, unit]\n", "E110", 3, 17, "ops", "op"),
    "param_is_a_word": (
        "blocks:\n  unit: {params: {first: 4}, nodes: [{op: conv, out: $first, kernel: 1, when: $first > 1}]}\n"
        "nodes: [unit, {op: conv, out: 3, kernel: 1}, unit]\n",
        "E108", 4, 19, "first", "first_",
    ),
    "decimal_comma": ("nodes: [{op: dropout, p: 0,5}]\n", "E105", 3, 26, "the value of `p` ends at the comma", "`p: 0.5`"),
    "pair_without_brackets": (
        "nodes: [{op: conv, out: 8, kernel: 3,1, padding: half}]\n",
        "E105", 3, 36, "the value of `kernel` ends at the comma", "`kernel: [3, 1]`",
    ),
    "comma_behind_a_mapping": (
        "nodes:\n  a: {op: relu},\n  b: tanh\n", "E102", 4, 16, "unexpected comma", "remove it",
    ),
    "comma_behind_an_item": (
        "nodes:\n  - {op: relu},\n  - tanh\n", "E102", 4, 15, "unexpected comma", "remove it",
    ),
    "size_with_an_x": ("nodes: [{op: conv, out: 4, kernel: 3x1}]\n", "E205", 3, 36, "3x1", "write `[3, 1]`"),
    "size_as_a_quoted_tuple": (
        'nodes: [{op: conv, out: 4, kernel: "(3, 1)"}]\n', "E205", 3, 36, "(3, 1)", "write `[3, 1]`",
    ),
    "block_name": (
        "blocks: {a unit: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 1}]}}\n"
        "nodes: [{op: a unit, out: 4}, {op: a unit, out: 8}]\n",
        "E108", 3, 10, "a unit", "a_unit",
    ),
    "blocks_as_a_list": (
        "blocks:\n  - unit: {params: {out: }, nodes: [{op: conv, out: $out, kernel: 1}]}\n"
        "nodes: [{op: unit, out: 4}, {op: unit, out: 8}]\n",
        "E109", 4, 3, "not a list", "remove the dashes",
    ),
    "params_as_a_list_of_mappings": (
        "params:\n  - w: 4\n  - k: 1\nnodes: [{op: conv, out: $w, kernel: $k}, {op: conv, out: $w, kernel: $k}]\n",
        "E109", 4, 3, "not a list", "remove the dashes",
    ),
    "name_as_a_key": ("nodes: [{name: c, op: relu}]\n", "E109", 3, 16, "`name` requires `repeat`", "write a node's name as its key"),
    "repeat_in_first": (
        "nodes: [{op: conv, repeat: 2, out: 4, kernel: 1, first: {repeat: 3}}]\n",
        "E207", 3, 58, "cannot be set in `first`", "on the node",
    ),
}  # fmt: skip


def check(tmp_path: Path, text: str) -> list[Diagnostic]:
    path = tmp_path / "net.yaml"
    path.write_text(text, encoding="utf-8")
    return list(cnngraph.check(path))


@pytest.mark.parametrize("name", SLIPS)
def test_typo_is_one_error_at_its_character(name: str, tmp_path: Path) -> None:
    text, code, line, column, message, help = SLIPS[name]
    found = check(tmp_path, HEAD + text)
    assert [(error.code, error.line, error.column) for error in found] == [(code, line, column)], [*map(str, found)]
    assert any(part in found[0].message for part in message.split("|"))
    assert any(part in (found[0].help or "") for part in help.split("|"))


@pytest.mark.parametrize(
    "character", [*LATIN, *"\u00a0\u2009\u202f\u3000\u200b\u200c\u2060\ufeff\u202e", *"：，［］｛｝（）"]
)
def test_look_alikes_are_found_everywhere(character: str, tmp_path: Path) -> None:
    """In keys, plain values and lists, but not in comments, quoted strings and free text."""
    for text in (
        f"nodes:\n  re{character}lu: relu\n",
        f"nodes: [relu]\nabout: one\ntrain: {{data: {{name: folder, path: re{character}lu}}, epochs: 1, optimizer: adam}}\n",
        f"nodes: [relu]\ntrain: {{data: {{name: folder, classes: [a, re{character}lu]}}, epochs: 1, optimizer: adam}}\n",
    ):
        found = [error for error in check(tmp_path, HEAD + text) if error.severity is Severity.ERROR]
        assert [error.code for error in found] == ["E102"], text
        assert f"U+{ord(character):04X}" in found[0].message
    prose = f"# re{character}lu\nabout: re{character}lu\npaper: Net {character} net\nnodes: [relu]\n"
    assert check(tmp_path, HEAD + prose) == []
    quoted = f'train: {{data: {{name: folder, path: "re{character}lu"}}, epochs: 1, optimizer: adam}}\nnodes: [relu]\n'
    assert all(error.severity is not Severity.ERROR for error in check(tmp_path, HEAD + quoted))


@pytest.mark.parametrize("text", ["кошки и собаки", "βeta", "Müller", "日本語", "naïve", "x – y"])
def test_other_scripts_are_not_look_alikes(text: str, tmp_path: Path) -> None:
    recipe = f"train: {{data: {{name: folder, path: {text}}}, epochs: 1, optimizer: adam}}\n"
    assert all(error.code != "E102" for error in check(tmp_path, f"{HEAD}{recipe}nodes: [relu]\n"))


def test_look_alikes_are_not_ascii() -> None:
    for table in (LATIN, QUOTES, OPERATORS):
        assert all(not key.isascii() and value.isascii() for key, value in table.items())


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32", "latin-1", "cp1252"])
def test_other_encodings_are_reported(encoding: str, tmp_path: Path) -> None:
    path = tmp_path / "net.yaml"
    path.write_bytes(f"{HEAD}about: für\nnodes: [relu]\n".encode(encoding))
    (found,) = cnngraph.check(path)
    assert (found.code, found.help) == ("E101", "save it as UTF-8")
    wide = encoding[:6].upper() if encoding.startswith("utf") else "byte 0xFC"
    assert wide in found.message
    assert (found.line, found.column) == ((None, None) if wide.startswith("UTF") else (3, 9))


@pytest.mark.parametrize(
    ("input", "help"),
    [
        (
            "[32, 32]",
            "write `input: [1, 32, 32]` for a greyscale image, `input: [32, 1, 32]` for a 1-D signal (a map of height 1)",
        ),
        ("(3, 32, 32)", "write `input: [3, 32, 32]`"),
        ("3x32x32", "write `input: [3, 32, 32]`"),
        ("[1, 3, 32, 32]", "leave out the batch size: `input: [3, 32, 32]`"),
        ("[1, 16, 32, 32]", "leave out the batch size: `input: [16, 32, 32]`"),
        ("[8, 3, 32, 32]", "leave out the batch size: `input: [3, 32, 32]`"),
        (
            "[3, 16, 32, 32]",
            "3-D convolutions are not supported; write the slices of a volume or the frames of a video as channels, "
            "`input: [48, 32, 32]`; or, for a batch of maps, leave out the batch size: `input: [16, 32, 32]`",
        ),
        ("784", "write `input: [784]` for a vector, `input: [3, 224, 224]` for an image"),
    ],
)
def test_input_in_another_notation_is_rewritten(input: str, help: str, tmp_path: Path) -> None:
    (found,) = check(tmp_path, f"cnngraph: 1\ninput: {input}\nnodes: [relu]\n")
    assert found.help == help or (input.startswith("(") and found.code == "E105")


def test_no_fix_leaves_out_the_channels_of_a_volume(tmp_path: Path) -> None:
    nodes = "nodes: [{op: conv, out: 4, kernel: 3}]"
    (found,) = check(tmp_path, f"cnngraph: 1\ninput: [2, 8, 16, 16]\n{nodes}\n")
    assert not found.fixes
    (found,) = check(tmp_path, f"cnngraph: 1\ninput: [2, 3, 16, 16]\n{nodes}\n")
    assert [fix.edits[0].text for fix in found.fixes] == ["[3, 16, 16]"]


@pytest.mark.parametrize(("version", "help"), [("'1'", "without quotes"), ("v1", "cnngraph: 1"), ("2", "cnngraph: 1")])
def test_wrong_version(version: str, help: str, tmp_path: Path) -> None:
    (found,) = check(tmp_path, f"cnngraph: {version}\ninput: [3, 8, 8]\nnodes: [relu]\n")
    assert found.code == "E106"
    assert help in (found.help or "")


@pytest.mark.parametrize("text", ["", "# nothing\n", "---\n", "null\n"])
def test_empty_file(text: str, tmp_path: Path) -> None:
    (found,) = check(tmp_path, text)
    assert "it is empty" in found.message


def test_spec_that_extends_itself(tmp_path: Path) -> None:
    (found,) = check(tmp_path, "cnngraph: 1\nextends: net.yaml\nnodes: [relu]\n")
    assert (found.code, found.line) == ("E309", 2)
