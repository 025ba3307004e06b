"""Feature maps: the output of a node for an image, and a plot of its channels."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from cnngraph.backend import lower
from cnngraph.diagnostics import SpecError
from cnngraph.frozen import frozen
from cnngraph.numbers import show_sizes
from cnngraph.passes.tap import tapped, tensor_at
from cnngraph.runs.classifier import Classifier
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.record.plots import INK, integer_ticks, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_CHANNELS = 256  # in one plot
MIN_SIDE, MAX_SIDE = 56, 224  # pixels of the longer side of a drawn map
GRID_SIDE = 1800  # approximate pixels of the side of the grid
GAP, LABEL = 6, 12  # pixels between the maps, and above a map for its number
MARGIN = 40  # pixels around the grid, including the title
DPI = 100


@frozen(slots=False, eq=False)
class Features:
    """The output of a node for an image file: `maps` is C×H×W, or C×1×1 for a vector; `shape` is the node's shape."""

    network: str
    node: str
    file: Path
    maps: Tensor
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """The features as plain values, for JSON: statistics per channel instead of the maps."""
        rows = self.maps.flatten(1)
        statistics = zip(rows.amin(1).tolist(), rows.mean(1).tolist(), rows.amax(1).tolist(), strict=True)
        return {
            "network": self.network,
            "node": self.node,
            "image": str(self.file),
            "shape": self.shape,
            "channels": [{"min": low, "mean": mean, "max": high} for low, mean, high in statistics],
        }

    @property
    def zero_channels(self) -> int:
        """The number of channels that are 0 at every position."""
        return int((self.maps.flatten(1) == 0).all(1).sum())


def features(classifier: Classifier, path: str, file: Path) -> Features:
    """The output of the node or block at a path for an image file.

    Raises SpecError: E652 if there is no such node or its output is neither maps nor a vector, E621 if the file cannot
    be read as an image.
    """
    graph = classifier.graph
    ref = tensor_at(graph, path)
    output = graph.type_of(ref)
    if not output.is_map and output.rank != 1:
        message = f"the output of `{path}` is {show_sizes(output.sizes)}, neither feature maps nor a vector"
        raise SpecError.of("E652", message)
    try:
        image = classifier.reader.read(file)
    except ImageError as error:
        raise SpecError.of("E621", str(error)) from None
    inner = lower(tapped(graph, {"features": ref}))
    inner.load_state_dict(classifier.model.state_dict())
    maps: Tensor = classifier.run(inner.to(classifier.device).eval(), [image])[0].float().cpu()
    return Features(graph.name, path, file, maps.reshape(len(maps), *(maps.shape[1:] or (1, 1))), output.sizes)


def features_figure(found: Features, max_channels: int) -> Figure:
    """A grid of the first maps, each scaled from its minimum (dark) to its maximum (bright); bars for a vector."""
    return _grid(found, max_channels) if found.maps[0].numel() > 1 else _bars(found)


def _grid(found: Features, max_channels: int) -> Figure:
    from matplotlib.figure import Figure

    maps = _drawn_size(found.maps[: min(max_channels, MAX_CHANNELS)])
    count, height, width = maps.shape
    columns = min(count, max(1, round(math.sqrt(count * 1.4 * height / width))))
    rows = -(-count // columns)
    canvas = np.full((rows * (height + LABEL + GAP), columns * (width + GAP)), np.nan, dtype=np.float32)
    high, wide = canvas.shape
    inches = max(wide + 2 * MARGIN, 360) / DPI, (high + 2 * MARGIN) / DPI
    figure = Figure(figsize=inches, dpi=DPI)
    left, bottom = MARGIN / DPI / inches[0], MARGIN / 2 / DPI / inches[1]
    axes = figure.add_axes((left, bottom, wide / DPI / inches[0], high / DPI / inches[1]))
    for number, values in enumerate(maps):
        y, x = (number // columns) * (height + LABEL + GAP), (number % columns) * (width + GAP)
        canvas[y + LABEL : y + LABEL + height, x : x + width] = _rescaled(values)
        axes.text(x, y + LABEL - 3, str(number), fontsize=6, color=INK)
    axes.imshow(canvas, cmap="magma", vmin=0, vmax=1, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    figure.text(left, 1 - bottom, plot_text(_title(found, count)), fontsize=9, color=INK)
    return figure


def _bars(found: Features) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 3), dpi=DPI, layout="constrained")
    axes = figure.add_subplot()
    values = found.maps.flatten().numpy()
    axes.bar(range(len(values)), values, width=1.0 if len(values) > 100 else 0.8, color="#2563eb")
    axes.axhline(0, color=INK, linewidth=0.5)
    integer_ticks(axes)
    axes.set_title(plot_text(_title(found, len(values))), loc="left", fontsize=9, color=INK)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.spines[["top", "right", "left", "bottom"]].set_visible(False)
    return figure


def _title(found: Features, shown: int) -> str:
    subset = f", the first {shown}" if shown < len(found.maps) else ""
    return f"{found.network} · {found.node} · {show_sizes(found.shape)}{subset} · {found.file.name}"


def _drawn_size(maps: Tensor) -> Tensor:
    """Small maps enlarged by an integer factor, large ones reduced so that the grid fits on a page."""
    longest = max(maps.shape[1:])
    limit = max(MIN_SIDE, min(MAX_SIDE, GRID_SIDE // math.isqrt(len(maps))))
    if longest > limit:
        height, width = (max(1, side * limit // longest) for side in maps.shape[1:])
        return F.adaptive_avg_pool2d(maps, (height, width))
    factor = -(-MIN_SIDE // longest)
    return maps.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _rescaled(values: Tensor) -> Any:
    """A map rescaled to the range from 0 to 1; a constant map becomes 0."""
    low, high = float(values.min()), float(values.max())
    return ((values - low) / (high - low or 1.0)).numpy()
