"""Mermaid: every line is a statement of its flowcharts, and every text is only text."""

from __future__ import annotations

import re

import pytest

from cnngraph.render.mermaid import _text
from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, graph_of, mermaid_of
from tests.render.test_strangers import NASTY, renamed

SMALL = {"inception": INCEPTION, "residual": RESIDUAL, "dense": DENSE, "parts": PARTS, "skips": SKIPS}
MARKDOWN = ["+", "+ x", "- x", "1. x", "12)", "_x_ y", "__x__", "end", "o", "a|b"]
ID, TEXT = r"(?!end\b|graph\b|subgraph\b|style\b|class|default\b|[ox]\b)[a-z]+[\d_]+", r'"[^"|`\[\]{}<>*~]*"'
BOLD = r'"(?:[^"|`\[\]{}<>*~]|</?b>|<br/>)*"'
SHAPES = [r"\(\[TEXT\]\)", r"\(\(TEXT\)\)", r"\(TEXT\)", r"\[\\TEXT/\]", r"\[/TEXT\\\]"]
STATEMENTS = [
    rf"{ID}(?:{'|'.join(SHAPES)}):::[a-z]+\d?".replace("TEXT", BOLD),
    rf"subgraph {ID}\[{BOLD}\]",
    r"direction (?:TB|LR)",
    "end",
    rf"{ID} (?:-->|-\.->) ?(?:\|{TEXT}\| )?{ID}",
    rf"style {ID} (?:[a-z]+:#?\w+,?)+",
    r"classDef [a-z]+\d? (?:[a-z-]+:#?\w+,?)+",
    r"linkStyle [\d,]+ [a-z-]+:#?[\w ]+",
]


@pytest.mark.parametrize("name", SMALL)
def test_every_line_is_a_statement(name: str) -> None:
    head, *lines = mermaid_of(graph_of(SMALL[name])).splitlines()
    assert head == "flowchart TB"
    for line in lines:
        assert any(re.fullmatch(statement, line.strip()) for statement in STATEMENTS), line


@pytest.mark.parametrize("name", [*NASTY, *MARKDOWN])
def test_any_name_is_text(name: str) -> None:
    lines = mermaid_of(renamed(graph_of(INCEPTION), name)).splitlines()[1:]
    for line in lines:
        assert any(re.fullmatch(statement, line.strip()) for statement in STATEMENTS), line


@pytest.mark.parametrize("text", MARKDOWN)
def test_no_text_is_markdown(text: str) -> None:
    """Entities are replaced after Mermaid has read the Markdown, so what is one has no other meaning."""
    written = _text(text)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), written) == text
    assert not re.match(r"[-+*]|\d+[.)](?:\s|$)", written)
    assert not re.search(r"(?<![^\W_])_|_(?![^\W_])", written)


def test_ordinary_texts_are_readable() -> None:
    for text in ("squeeze_excite", "1.50 k params · 16×8×8", "features.0", "3×3 32, first /2 – 1×1 64"):
        assert _text(text) == text


def test_the_sign_of_a_sum_is_text() -> None:
    """Mermaid 11 draws `+` as "Unsupported markdown: list"."""
    assert '(("#43;"))' in mermaid_of(graph_of(RESIDUAL))
    assert '(("+"))' not in mermaid_of(graph_of(RESIDUAL))
