"""A network as one interactive HTML file: the drawings of all blocks, the facts about them, and a script.

The file needs no network. Its policy allows no script or style but its own, by their hashes, and whatever a spec
contains is text in it, so that the spec of a stranger is safe to look at.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import Any

from cnngraph.diagnostics import Diagnostic
from cnngraph.frozen import frozen
from cnngraph.graph.graph import Graph
from cnngraph.render.compose import opens
from cnngraph.render.folding import fold_tree
from cnngraph.render.fonts import FAMILY
from cnngraph.render.layout.drawing import Key
from cnngraph.render.layout.surroundings import ENTRIES, SWATCH, TIMES, UPSCALED
from cnngraph.render.legend import sample
from cnngraph.render.page.facts import Files, as_json, diagnostic_facts, network_facts
from cnngraph.render.page.fragments import Drawn, fragments
from cnngraph.render.page.skips import skips_in
from cnngraph.render.page.variables import VARIABLES, declarations
from cnngraph.render.settings import DEFAULT, Settings
from cnngraph.render.svg import markup
from cnngraph.render.tree import build_tree
from cnngraph.text import one_line

ASSETS = Path(__file__).parent / "assets"
SCRIPTS = (
    "network",
    "stretch",
    "arrows",
    "columns",
    "ushape",
    "canvas",
    "overlays",
    "panel",
    "source",
    "search",
    "keyboard",
    "main",
)


@frozen
class Report:
    """What `view` adds to a page: the diagnostics, and a note on what the drawing shows if there are errors."""

    diagnostics: tuple[Diagnostic, ...] = ()
    note: str = ""


def page(graph: Graph | None, settings: Settings = DEFAULT, report: Report | None = None) -> str:
    """The HTML of a network; with a `report` for a server, which tells the page when it has changed.

    Raises ValueError and SpecError as `compose`.
    """
    files = Files()
    drawn: list[Drawn] = []
    facts: dict[str, Any] = {"network": None}
    if graph is not None:
        tree = build_tree(graph, settings.node)
        tree = tree if settings.fold is False else fold_tree(tree)
        skips = skips_in(tree)
        drawn = fragments(tree, settings, skips)
        facts["network"] = network_facts(tree, drawn, files, skips, settings.times)
    facts["open"] = _opened(drawn, settings)
    facts["down"] = settings.flow == "down"
    if report is not None:
        facts["report"] = {"diagnostics": diagnostic_facts(report.diagnostics, files), "note": report.note}
    facts["files"] = files.all()
    name = settings.title or (graph.name if graph else "cnngraph")
    return "".join(_html(one_line(name), facts, drawn, settings, is_live=report is not None))


def _opened(drawn: Sequence[Drawn], settings: Settings) -> list[int] | None:
    """The groups that are open at first, as the settings say; None if the page opens as many as its window can show."""
    if not settings.open and settings.depth is None:
        return None
    levels: list[int] = []
    for item in drawn:
        levels.append(0 if item.parent is None else levels[item.parent] + 1)
    depth = settings.depth or 1
    found = {0}
    for number, (item, level) in enumerate(zip(drawn, levels, strict=True)):
        if level < depth or any(opens(pattern, item.inner.scope.path) for pattern in settings.open):
            found.add(number)
    return sorted(found)


def _html(
    title: str, facts: dict[str, Any], drawn: Sequence[Drawn], settings: Settings, *, is_live: bool
) -> Iterator[str]:
    style, script = _style(settings), _script()
    policy = (
        f"default-src 'none'; style-src {_hash(style)}; script-src {_hash(script)}; img-src data:; "
        f"base-uri 'none'; form-action 'none'{'; connect-src ' + chr(39) + 'self' + chr(39) if is_live else ''}"
    )
    theme = " data-theme=dark" if settings.theme == "dark" else ""
    body = (ASSETS / "body.html").read_text(encoding="utf-8")
    yield f'<!DOCTYPE html>\n<html lang="en"{theme}>\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n<link rel="icon" href="data:,">\n'
    yield f"<title>{escape(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n"
    yield body.replace("{{title}}", escape(title))
    for number, item in enumerate(drawn):
        for name, fragment in (("drawing", item.fragment), ("chain", item.chain)):
            if fragment is not None:
                yield f'<template id="{name}{number}"><svg>'
                for part, markup in fragment.svg():
                    yield f'<g class="{part.kind}" data-key="{part.key}">{markup}</g>'
                yield "</svg></template>\n"
    yield f'<template id="marks">{"".join(_marks(drawn))}</template>\n'
    yield f'<script type="application/json" id="facts">{as_json(facts)}</script>\n'
    yield f"<script>{script}</script>\n</body>\n</html>\n"


def _marks(drawn: Sequence[Drawn]) -> Iterator[str]:
    """The entries of the legend for what occurs in some block, of which the page shows those of what is visible."""
    fragments = [item.fragment for item in drawn if item.fragment]
    found = {sample for fragment in fragments for samples in fragment.legend.values() for sample in samples}
    found |= {placed.arrow.flow for fragment in fragments for placed in fragment.arrows}
    for name, text in ENTRIES.items():
        if name not in found or name == TIMES:
            continue
        shown = f"<strong>{name}</strong> "
        if name != UPSCALED:
            parts = sample(Key(name, text, 1, 1 + SWATCH / 2), VARIABLES)
            shown = f'<svg viewBox="0 0 {SWATCH + 2} {SWATCH + 2}">{"".join(map(markup, parts))}</svg>'
        yield f'<span data-name="{name}">{shown}{text}</span>'


def _style(settings: Settings) -> str:
    family = f"{settings.font}, {FAMILY}" if settings.font and settings.font.replace(" ", "").isalnum() else FAMILY
    light, dark, printed = (declarations(name) for name in ("light", "dark", "print"))
    css = (ASSETS / "page.css").read_text(encoding="utf-8")
    return (
        f":root{{{light}--family:{family};color-scheme:light}}\n"
        f":root[data-theme=dark]{{{dark}color-scheme:dark}}\n{css}"
        f"@media print{{:root,:root[data-theme=dark]{{{printed}color-scheme:light}}}}\n"
    )


def _script() -> str:
    parts = ((ASSETS / f"{name}.js").read_text(encoding="utf-8") for name in SCRIPTS)
    return '"use strict";\n(() => {\n' + "\n".join(parts) + "})();\n"


def _hash(text: str) -> str:
    """The hash of an inline script or style, for the page's policy."""
    digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
    return f"'sha256-{digest}'"
