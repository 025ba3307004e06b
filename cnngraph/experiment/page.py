"""The report of an experiment as one HTML page, for wide and narrow screens, light and dark."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from html import escape

from cnngraph import text
from cnngraph.experiment.drawings import NetworkDrawing

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
  :root {{ --ink: #e2e8f0; --pale: #94a3b8; --line: #334155; --paper: #0f172a }}
}}
body {{
  font: 16px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  max-width: 66rem; margin: 2rem auto; padding: 0 1rem; overflow-wrap: anywhere
}}
h1, h2 {{ line-height: 1.25 }}
.scroll {{ overflow-x: auto; margin: 1.5rem 0 }}
table {{ border-collapse: collapse; overflow-wrap: normal }}
th, td {{ padding: .3rem .9rem; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap }}
th {{ font-weight: 600; color: var(--pale) }}
th:first-child, td:first-child {{
  text-align: left; padding-left: 0; position: sticky; left: 0; background: var(--paper)
}}
td {{ font-variant-numeric: tabular-nums }}
figure {{ margin: 1.5rem 0 }}
figure img {{ display: block; max-width: 100%; height: auto; background: #ffffff; border-radius: .4rem }}
.curves img {{ max-width: none; width: max(100%, 44rem) }}
.networks {{ display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 15rem), 1fr)); gap: 1rem }}
.networks figure {{ margin: 0; min-width: 0 }}
.networks .frame {{
  max-height: 28rem; overflow-y: auto; background: #ffffff; border: 1px solid var(--line); border-radius: .4rem
}}
.networks img {{ margin: 0 auto; border-radius: 0 }}
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
    body = "\n".join(f"<tr>{''.join(f'<td>{html_text(cell)}</td>' for cell in row)}</tr>" for row in others)
    return f'<div class="scroll"><table>\n<tr>{head}</tr>\n{body}\n</table></div>'


def bullets(lines: Sequence[str]) -> str:
    """A list; nothing for no lines."""
    return f"<ul>{''.join(f'<li>{html_text(line)}</li>' for line in lines)}</ul>" if lines else ""


def curves_image(svg: str) -> str:
    """The learning curves; on a narrow screen they keep a legible size, and can be scrolled."""
    if not svg:
        return ""
    return f'<div class="scroll curves">{_image(svg, "Learning curves of all variants")}</div>'


def networks(drawn: Sequence[NetworkDrawing]) -> str:
    """The drawings of the networks, side by side where there is room; a long one can be scrolled."""
    figures = [
        f"<figure><figcaption>{html_text(', '.join(drawing.variants))}</figcaption>"
        f'<div class="frame">{_image(drawing.svg, f"The network of {drawing.variants[0]}")}</div></figure>'
        for drawing in drawn
    ]
    return f'<h2>Networks</h2>\n<div class="networks">\n{"".join(figures)}\n</div>' if figures else ""


def _image(svg: str, description: str) -> str:
    """An SVG inside an image, so that names and styles of several do not collide."""
    data = b64encode(svg.encode()).decode()
    return f'<img alt="{html_text(description)}" src="data:image/svg+xml;base64,{data}">'
