"""HTML that notebooks show: escaped, bounded, for light and dark themes, and readable without its style sheet."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from html import escape
from itertools import islice

from cnngraph.text import one_line

MAX_TEXT = 400  # characters of a cell or a sentence
MAX_ROWS = 60  # of a table; the others are only counted
CODE = re.compile(r"`([^`]+)`")
COLOURS = {  # on a light page, on a dark page
    "error": ("#b3261e", "#ff9a91"),
    "warning": ("#7a4f00", "#f5c26b"),
    "fix": ("#146c2e", "#7ddb95"),
    "muted": ("#58606b", "#a3adbb"),
    "rule": ("#d0d5dd", "#4a5361"),
}
DARK = (  # how JupyterLab, Visual Studio Code, Colab and Material for MkDocs say that their page is dark
    '[data-jp-theme-light="false"]',
    ".vscode-dark",
    ".vscode-high-contrast",
    "html[theme=dark]",
    '[data-md-color-scheme="slate"]',
)


def _variables(place: int) -> str:
    return ";".join(f"--cnngraph-{name}:{colours[place]}" for name, colours in COLOURS.items())


STYLE = (
    f".cnngraph{{{_variables(0)}}}"
    f"{','.join(f'{page} .cnngraph' for page in DARK)}{{{_variables(1)}}}"
    ".cnngraph .error{color:var(--cnngraph-error)}.cnngraph .warning{color:var(--cnngraph-warning)}"
    ".cnngraph .fix{color:var(--cnngraph-fix)}.cnngraph .muted{color:var(--cnngraph-muted)}"
    ".cnngraph article{border-left:3px solid var(--cnngraph-error);padding:0 0 0 .8em;margin:.6em 0}"
    ".cnngraph article.of-warning{border-color:var(--cnngraph-warning)}"
    ".cnngraph p,.cnngraph ul{margin:.25em 0}.cnngraph pre{margin:.25em 0;overflow-x:auto}"
    ".cnngraph u{text-decoration:underline wavy;text-underline-offset:.25em}"
    ".cnngraph table{border-collapse:collapse;margin:.4em 0}"
    ".cnngraph caption{text-align:left;font-weight:bold;padding:.2em 0}"
    ".cnngraph th{text-align:left;border-bottom:1px solid var(--cnngraph-rule)}"
    ".cnngraph th,.cnngraph td{padding:.15em .9em .15em 0}"
    ".cnngraph td.number,.cnngraph th.number{text-align:right;font-variant-numeric:tabular-nums}"
    ".cnngraph img{max-width:100%}"
)


def page(*parts: str) -> str:
    """Parts of HTML with the style sheet."""
    return f'<div class="cnngraph"><style>{STYLE}</style>{"".join(parts)}</div>'


def text(value: str) -> str:
    """A text on one line, escaped and cut."""
    line = one_line(value)
    return escape(line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…")


def sentence(value: str) -> str:
    """A text whose parts in backticks are code."""
    return CODE.sub(r"<code>\1</code>", text(value))


def paragraph(value: str, kind: str = "") -> str:
    """A sentence as a paragraph."""
    return f'<p class="{kind}">{sentence(value)}</p>' if kind else f"<p>{sentence(value)}</p>"


def table(caption: str, headings: Sequence[str], rows: Iterable[Sequence[object]], total: int) -> str:
    """A table of at most MAX_ROWS of its `total` rows. Numbers are aligned to the right; None is a dash."""
    shown = [[_cell(value) for value in row] for row in islice(rows, MAX_ROWS)]
    numeric = [any(row[place][1] for row in shown) for place in range(len(headings))]
    head = "".join(f"<th{_number(right)}>{text(name)}</th>" for name, right in zip(headings, numeric, strict=True))
    body = "".join(
        f"<tr>{''.join(f'<td{_number(right)}>{cell}</td>' for (cell, _), right in zip(row, numeric, strict=True))}</tr>"
        for row in shown
    )
    more = f'<p class="muted">… {total - MAX_ROWS:,} more</p>' if total > MAX_ROWS else ""
    title = f"<caption>{text(caption)}</caption>" if caption else ""
    return f"<table>{title}<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"


def _cell(value: object) -> tuple[str, bool]:
    """The HTML of a cell, and whether it is a number."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return text(f"{value:,}" if isinstance(value, int) else f"{value:.4g}"), True
    return ("–" if value is None else text(str(value))), False


def _number(right: bool) -> str:
    return ' class="number"' if right else ""
