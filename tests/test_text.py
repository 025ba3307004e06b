"""Untrusted text: invisible and control characters are escaped."""

from __future__ import annotations

import json
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnngraph.diagnostics import Diagnostic, Source, Span
from cnngraph.text import json_safe, markdown, one_line, visible

CONTROL_CATEGORIES = ("Cc", "Cs", "Zl", "Zp")
DIRECTIONS = [*range(0x202A, 0x202F), *range(0x2066, 0x206A), 0x200E, 0x200F, 0x061C]
ZERO_WIDTH = [0x200B, 0x200C, 0x200D, 0x2060, 0xFEFF, 0xAD, 0x180E, 0xE0001, 0xE0041]


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("\x1b[31mred", r"\x1b[31mred"),
        ("a\rb", r"a\rb"),
        ("\x9b31m", r"\x9b31m"),
        ("\u202eexe.gpj", r"\u202eexe.gpj"),
        ("a\u2028b", r"a\u2028b"),
        ("\ud800", r"\ud800"),
        ("\udcff.png", r"\xff.png"),
        ("\U000e0041", r"\U000e0041"),
        ("Füße, 猫, עברית, ❤️, ×", "Füße, 猫, עברית, ❤️, ×"),
    ],
)
def test_escapes(text: str, escaped: str) -> None:
    assert visible(text) == one_line(text) == escaped


@given(st.text(st.characters(categories=None)))
def test_control_characters_are_escaped(text: str) -> None:
    shown = visible(text)
    assert all(
        unicodedata.category(character) not in CONTROL_CATEGORIES
        for character in shown.replace("\n", "").replace("\t", "")
    )
    assert not {ord(character) for character in shown} & {*DIRECTIONS, *ZERO_WIDTH}
    assert visible(shown) == shown
    assert len(one_line(text).splitlines()) <= 1
    assert json.loads(json_safe(json.dumps(text, ensure_ascii=False))) == json.loads(json.dumps(text))
    shown.encode()


@pytest.mark.parametrize("code", [*DIRECTIONS, *ZERO_WIDTH, *range(0x20), *range(0x7F, 0xA0)])
def test_every_hidden_character_is_escaped(code: int) -> None:
    assert one_line(f"a{chr(code)}b").isprintable()


def test_markdown() -> None:
    assert markdown("a|b `c` <script>x</script> [d](e)\nf_g _h_") == (
        r"a\|b \`c\` \<script\>x\</script\> \[d\](e)\\nf_g \_h\_"
    )
    assert markdown("# title") == r"\# title"


def test_underline_accounts_for_escapes() -> None:
    source = Source("a\nb.yaml", "x: \x1b[1m\u202ebad end")
    text = str(Diagnostic("E101", "no\x07", Span(source, 1, 9, 1, 12), notes=("n\nerror: forged",)))
    assert text.splitlines() == [
        r"error[E101]: no\x07",
        r" --> a\nb.yaml:1:9",
        "  |",
        r"1 | x: \x1b[1m\u202ebad end",
        f"  | {16 * chr(32)}^^^",
        r"  = n\nerror: forged",
    ]
