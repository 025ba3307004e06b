"""`render`: draws a network, for a notebook or a file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Literal, TypeAlias

from cnngraph.api.arguments import InputShape, Params, Plugins
from cnngraph.api.compiling import graph_of
from cnngraph.api.results import Drawing
from cnngraph.atomic_files import write
from cnngraph.elaborate.elaborate import MAX_NODES
from cnngraph.graph.graph import Graph
from cnngraph.graph.node_times import NodeTimes
from cnngraph.packages import explained
from cnngraph.render import FORMATS, Settings, draw, format_of
from cnngraph.text import either

Format: TypeAlias = Literal["svg", "png", "pdf", "tikz", "dot", "mermaid", "html", "model-explorer"]


def render(
    spec_or_graph: str | Path | Graph,
    path: str | Path | None = None,
    /,
    *,
    format: Format | None = None,
    page: Literal["a4", "slide", "column"] | None = "a4",
    direction: Literal["down", "right"] | None = None,
    depth: int | None = None,
    open: str | Sequence[str] = (),
    node: str | None = None,
    fold: bool | None = None,
    shapes: bool = True,
    legend: bool | None = None,
    title: str | None = None,
    scale: float = 1.0,
    theme: Literal["light", "dark", "print"] = "light",
    style: Literal["boxes", "volumes"] = "boxes",
    font: str | None = None,
    times: NodeTimes | None = None,
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> Drawing:
    """Draw a network. A notebook shows the result; with a `path` it is also written to a file.

    `format` is `svg` (the default), `png`, `pdf`, `tikz`, `html`, `dot`, `mermaid` or `model-explorer`. With a `path`
    its ending determines the format (.svg, .png, .pdf, .tex, .html, .htm, .dot, .gv, .mmd, .mermaid,
    .model-explorer.json). `html` is one interactive page, on which blocks are opened and closed; `depth` and `open` are
    its first view. `model-explorer` is the JSON of Google's viewer of that name.

    The drawing fits a `page`: `a4`, a 16:9 `slide` or a `column` of a paper, or is unlimited with None. It has as much
    detail as the page allows with text of at least 6 pt (on a slide 9 pt), and long networks are broken into columns.
    `direction` is that of the flow, by default `right` on a slide and `down` otherwise, or the other one where the text
    would be too small. `depth` is the number of levels of nesting to show: 1 draws each top-level node as one box.
    `open` are patterns of the paths of blocks to draw open; all others are closed, or as `depth` says. `node` is the
    path of a block to draw alone. `fold` draws equal iterations of a repeat, and equal branches, as one, labelled `×6`;
    by default it does, in formats with a page unless each of them fits it. `shapes`, `legend` and `title` are shown
    beside the boxes. With the `style` `volumes`, feature maps are drawn in perspective, from left to right, with a
    legend unless it is False. `scale` enlarges the drawing; `font` is the font family of an SVG, HTML or DOT file.
    `times` are those that `measure_times` measured, which HTML shows. DOT and Mermaid have no `legend` and no `scale`,
    Model Explorer takes only `node`. All other arguments are those of `load`.

    Raises SpecError for errors of the spec, which a notebook shows with the drawing up to the error, or too many boxes
    (E501); ValueError for an unknown file ending or value, a depth below 1, a scale outside 0.01 to 100, a path at
    which there is no block, or an option that has no effect in the format; TypeError for a value of another type;
    WriteError, an OSError, if the file cannot be written; PackageError if matplotlib is not installed, which PNG and
    PDF need.
    """
    file = None if path is None else Path(path)
    chosen = _format(file, format)
    graph = graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params, render)
    settings = Settings(
        depth=depth,
        open=(open,) if isinstance(open, str) else tuple(open),
        node=node,
        fold=fold,
        page=page,
        direction=direction,
        shapes=shapes,
        legend=legend,
        title=title,
        scale=scale,
        theme=theme,
        style=style,
        font=font,
        times=times,
    )
    data = draw(graph, chosen, settings)
    if file is not None:
        write(file, lambda beside: beside.write_bytes(data))
    return Drawing(chosen, data, file)


@explained()
def measure_times(
    spec_or_graph: str | Path | Graph,
    /,
    *,
    device: str = "cpu",
    input: InputShape | None = None,
    plugins: Plugins = (),
    max_nodes: int = MAX_NODES,
    params: Params | None = None,
    **more_params: object,
) -> NodeTimes:
    """Measure how long each operation of a network takes for one image in eval mode, on a device such as `cuda`.

    The network is built with random weights and runs for about 3 seconds, one operation after the other, after a short
    warm-up; one that takes more than half of that for a single pass runs once. The times of a GPU are those of events
    in its queue. What Python does between the operations is not included. All other arguments are those of `load`.

    Raises SpecError for errors of the spec, or a device that this machine lacks (E640); PackageError, an ImportError,
    if PyTorch is not installed.
    """
    from cnngraph.backend.node_times import measure_node_times
    from cnngraph.train.loop.device import choose_device

    graph = graph_of(spec_or_graph, input, plugins, max_nodes, params, more_params, measure_times)
    return measure_node_times(graph, choose_device(device))


def _format(file: Path | None, format: str | None) -> str:
    known = list(dict.fromkeys(FORMATS.values()))
    if format is not None and format not in known:
        raise ValueError(f"format must be {either(map(repr, known))}, got {format!r}")
    if file is None:
        return format or "svg"
    ending = format_of(file)
    if ending is None:
        raise ValueError(f"{file} must end in {either(FORMATS)}")
    if format not in (None, ending):
        raise ValueError(f"format {format!r} contradicts the extension of {file}")
    return ending
