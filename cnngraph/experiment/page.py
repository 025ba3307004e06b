"""The report of an experiment as one HTML page, for wide and narrow screens, light and dark."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from cnngraph import text
from cnngraph.experiment.curves import Curves
from cnngraph.experiment.drawings import NetworkDrawing

DARK, NARROW = "(prefers-color-scheme: dark)", "(max-width: 40rem)"
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{title}</title>
<style>
:root {{ --ink: #1e293b; --pale: #64748b; --line: #e2e8f0; --paper: #ffffff }}
@media (prefers-color-scheme: dark) {{
  :root {{ --ink: #e8ebf0; --pale: #9aa4b2; --line: #333b47; --paper: #14171c }}
}}
body {{
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 66rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere
}}
h1, h2 {{ line-height: 1.25 }}
.scroll {{ overflow-x: auto; margin: 1.5rem 0 }}
table {{ border-collapse: separate; border-spacing: 0; overflow-wrap: normal }}
th, td {{ padding: .3rem .9rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }}
th {{ font-weight: 600; color: var(--pale) }}
th:first-child, td:first-child {{
  text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--paper)
}}
td {{ font-variant-numeric: tabular-nums }}
figure {{ margin: 1.5rem 0 }}
figure img {{ display: block; max-width: 100%; height: auto; margin: 0 auto }}
.curves img {{ width: 100% }}
.networks {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 1rem }}
.networks figure {{ margin: 0; min-width: 0; border: 1px solid var(--line); border-radius: .4rem; padding: .6rem }}
figcaption {{ color: var(--pale); margin-bottom: .3rem }}
@media (max-width: 40rem) {{
  body {{ font-size: 15px; margin: 1rem auto }}
  th, td {{ padding: .3rem .5rem }}
  th:first-child, td:first-child {{
    min-width: 8rem; max-width: 10rem; white-space: normal; overflow-wrap: anywhere
  }}
}}
</style>
<h1>{title}</h1>
{sections}
</html>
"""


def html_page(title: str, sections: Iterable[str]) -> str:
    """The page with a title and sections of HTML, those that are not empty."""
    return PAGE.format(title=html_text(title), sections="\n".join(filter(None, sections)))


def html_text(content: str) -> str:
    """Text in a line of HTML."""
    return escape(text.one_line(content))


def paragraph(content: str) -> str:
    """A paragraph; nothing for an empty text."""
    return f"<p>{html_text(content)}</p>" if content else ""


def table(rows: Sequence[Sequence[str]]) -> str:
    """A table whose first row is the header; one that is too wide for the screen can be scrolled."""
    first, *others = rows
    head = "".join(f"<th>{html_text(cell)}</th>" for cell in first)
    body = "\n".join(f"<tr>{''.join(f'<td>{_breakable(cell)}</td>' for cell in row)}</tr>" for row in others)
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def _breakable(content: str) -> str:
    """Text that a narrow screen may break after an underscore."""
    return html_text(content).replace("_", "_<wbr>")


def bullets(lines: Sequence[str]) -> str:
    """A list; nothing for no lines."""
    return f"<ul>{''.join(f'<li>{html_text(line)}</li>' for line in lines)}</ul>" if lines else ""


def curves_image(curves: Curves) -> str:
    """The learning curves, for wide and narrow screens, light and dark."""
    if not curves.wide:
        return ""
    sources = _source(curves.narrow_dark, f"{DARK} and {NARROW}") + _source(curves.narrow, NARROW)
    image = _image(curves.wide, "Learning curves of all variants", sources + _source(curves.dark, DARK))
    return f'<figure class="curves">{image}</figure>'


def networks(drawn: Sequence[NetworkDrawing]) -> str:
    """The drawings of the networks, side by side where there is room."""
    figures = [
        f"<figure><figcaption>{html_text(', '.join(drawing.variants))}</figcaption>"
        f"{_image(drawing.svg, f'The network of {drawing.variants[0]}', _source(drawing.dark, DARK))}</figure>"
        for drawing in drawn
    ]
    return f'<h2>Networks</h2>\n<div class="networks">\n{"".join(figures)}\n</div>' if figures else ""


def _source(svg: str, media: str) -> str:
    """An SVG that replaces the image on screens of a kind."""
    return f'<source media="{media}" srcset="{_data(svg)}">'


def _image(svg: str, description: str, sources: str) -> str:
    """An SVG inside an image, so that names and styles of several do not collide."""
    return f'<picture>{sources}<img alt="{html_text(description)}" src="{_data(svg)}"></picture>'


def _data(svg: str) -> str:
    return f"data:image/svg+xml;base64,{b64encode(svg.encode()).decode()}"
