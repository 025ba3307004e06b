"""Drawing graphs as SVG, PNG, PDF, DOT and Mermaid, from one layout-independent picture. Does not import PyTorch."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from cnngraph.atomic_files import write
from cnngraph.graph.graph import Graph
from cnngraph.packages import explained
from cnngraph.render.compose import compose
from cnngraph.render.dot import dot
from cnngraph.render.mermaid import mermaid
from cnngraph.render.picture import Picture

FORMATS = {
    ".svg": "svg",
    ".png": "png",
    ".pdf": "pdf",
    ".dot": "dot",
    ".gv": "dot",
    ".mmd": "mermaid",
    ".mermaid": "mermaid",
}


def render(
    graph: Graph,
    path: Path,
    *,
    depth: int | None = None,
    fold: bool | None = None,
    direction: Literal["TB", "LR"] = "TB",
) -> None:
    """Draw a graph into a file, in the format of its ending (see FORMATS).

    `depth` is the number of levels of nesting to show: 1 draws each top-level node as one box; by default as many as
    are readable. `fold` draws equal iterations of a repeat as one with `×6`; by default it does so if `depth` is given
    or the picture would be long. The picture flows from top to bottom, or with `direction="LR"` from left to right.

    Raises ValueError for an unknown ending or a depth below 1, SpecError (E501) if there are more boxes than can be
    laid out, and WriteError if the file cannot be written. The file is written atomically.
    """
    format = FORMATS.get(path.suffix.lower())
    if format is None:
        raise ValueError(f"{path} must end in {', '.join(FORMATS)}")
    picture = compose(graph, depth=depth, fold=fold)
    write(path, lambda temporary: temporary.write_bytes(_drawn(picture, format, direction)))


def draw(
    graph: Graph,
    format: str,
    *,
    depth: int | None = None,
    fold: bool | None = None,
    direction: Literal["TB", "LR"] = "TB",
) -> bytes:
    """The drawing itself, in a format that FORMATS names; see `render`."""
    return _drawn(compose(graph, depth=depth, fold=fold), format, direction)


def _drawn(picture: Picture, format: str, direction: str) -> bytes:
    if format == "dot":
        return dot(picture, direction).encode()
    if format == "mermaid":
        return mermaid(picture, direction).encode()
    from cnngraph.render import graphviz  # pygraphviz is slow to import

    with explained():
        return graphviz.draw(picture, format, direction)


def to_dot(
    graph: Graph, depth: int | None = None, *, fold: bool | None = None, direction: Literal["TB", "LR"] = "TB"
) -> str:
    """The graph as DOT, the language of Graphviz; see `render`."""
    return dot(compose(graph, depth=depth, fold=fold), direction)


def to_mermaid(
    graph: Graph, depth: int | None = None, *, fold: bool | None = None, direction: Literal["TB", "LR"] = "TB"
) -> str:
    """The graph as a Mermaid flowchart; see `render`."""
    return mermaid(compose(graph, depth=depth, fold=fold), direction)
