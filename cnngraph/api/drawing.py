"""`render`: draws a network, for a notebook or a file."""

from __future__ import annotations

from pathlib import Path
from typing import Literal, TypeAlias

from cnngraph.api.arguments import InputShape, Params, Plugins
from cnngraph.api.compiling import graph_of
from cnngraph.api.results import Drawing
from cnngraph.atomic_files import write
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.render import FORMATS, draw

Format: TypeAlias = Literal["svg", "png", "pdf", "dot", "mermaid"]


def render(
    spec_or_graph: str | Path | Graph,
    path: str | Path | None = None,
    /,
    *,
    format: Format | None = None,
    depth: int | None = None,
    fold: bool | None = None,
    direction: Literal["TB", "LR"] = "TB",
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> Drawing:
    """Draw a network. A notebook shows the result; with a `path` it is also written to a file.

    `format` is `svg` (the default), `png`, `pdf`, `dot` or `mermaid`. With a `path` its ending determines the format
    (.svg, .png, .pdf, .dot, .gv, .mmd, .mermaid). `depth` is the number of levels of nesting to show: 1 draws each
    top-level node as one box; by default it is chosen to keep the drawing readable. `fold` draws equal iterations of a
    repeat as one, labelled `×6`; by default it does if `depth` is set or the drawing would be long. The drawing flows
    from top to bottom, or with `direction="LR"` from left to right. All other arguments are those of `load`.

    Raises SpecError for errors of the spec, or too many boxes (E501); ValueError for an unknown file ending or format,
    or a depth below 1; WriteError, an OSError, if the file cannot be written; PackageError if pygraphviz is not
    installed, which SVG, PNG and PDF need.
    """
    file = None if path is None else Path(path)
    chosen = _format(file, format)
    graph = graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params)
    data = draw(graph, chosen, depth=depth, fold=fold, direction=direction)
    if file is not None:
        write(file, lambda beside: beside.write_bytes(data))
    return Drawing(chosen, data, file)


def _format(file: Path | None, format: str | None) -> str:
    known = list(dict.fromkeys(FORMATS.values()))
    if format is not None and format not in known:
        raise ValueError(f"format must be one of {', '.join(known)}, got {format!r}")
    if file is None:
        return format or "svg"
    ending = FORMATS.get(file.suffix.lower())
    if ending is None:
        raise ValueError(f"{file} must end in {', '.join(FORMATS)}")
    if format not in (None, ending):
        raise ValueError(f"format {format!r} contradicts the extension of {file}")
    return ending
