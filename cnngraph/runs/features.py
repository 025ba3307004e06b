"""What a node of a network makes of an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from torch import Tensor
from torch.nn import functional as F

from cnngraph.backend import lower
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.numbers import show_sizes
from cnngraph.passes.tap import tapped, tensor_at
from cnngraph.runs.classifier import Classifier
from cnngraph.train.data.decoding import ImageError
from cnngraph.train.record.plots import INK, integer_ticks, plot_text

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 256  # channels in one picture
SMALLEST, LARGEST = 56, 224  # pixels of a drawn map's longer side
PAGE = 1800  # and about those of all beside each other
GAP, LABEL = 6, 12  # pixels between maps, and above each for its number
MARGIN = 40  # pixels around them, with the title
DPI = 100


@dataclass(frozen=True, eq=False)
class Features:
    """The numbers that a node gives for a file: C×H×W, or a vector C as C×1×1."""

    network: str
    node: str
    file: Path
    maps: Tensor
    shape: tuple[int, ...]

    def to_dict(self) -> dict[str, Any]:
        """Everything but the maps themselves by its name, for JSON."""
        rows = self.maps.flatten(1)
        figures = zip(rows.amin(1).tolist(), rows.mean(1).tolist(), rows.amax(1).tolist(), strict=True)
        return {
            "network": self.network,
            "node": self.node,
            "image": str(self.file),
            "shape": self.shape,
            "channels": [{"min": low, "mean": mean, "max": high} for low, mean, high in figures],
        }

    @property
    def silent(self) -> int:
        """How many channels are 0 everywhere."""
        return int((self.maps.flatten(1) == 0).all(1).sum())


def features(classifier: Classifier, path: str, file: Path) -> Features:
    """What the node (or block) at a path gives for an image file.

    Raises SpecError: E652 where there is no such node, or it gives no maps; E621 for a file that is no image.
    """
    graph = classifier.graph
    ref = tensor_at(graph, path)
    given = graph.type_of(ref)
    if not given.is_map and given.rank != 1:
        message = f"{path} gives {show_sizes(given.sizes)}, neither maps of channels nor a vector"
        raise SpecError([Diagnostic("E652", message)])
    try:
        image = classifier.reader.tensor(file)
    except ImageError as error:
        raise SpecError([Diagnostic("E621", str(error))]) from None
    inner = lower(tapped(graph, {"features": ref}))
    inner.load_state_dict(classifier.model.state_dict())
    maps: Tensor = classifier.run(inner.to(classifier.device).eval(), [image])[0].float().cpu()
    return Features(graph.name, path, file, maps.reshape(len(maps), *(maps.shape[1:] or (1, 1))), given.sizes)


def features_figure(found: Features, most: int) -> Figure:
    """The first maps as a grid, each from its least number, dark, to its largest; of a vector, bars."""
    return _grid(found, most) if found.maps[0].numel() > 1 else _bars(found)


def _grid(found: Features, most: int) -> Figure:
    from matplotlib.figure import Figure

    maps = _drawn_size(found.maps[: min(most, MOST)])
    count, height, width = maps.shape
    columns = min(count, max(1, round(math.sqrt(count * 1.4 * height / width))))
    rows = -(-count // columns)
    canvas = np.full((rows * (height + LABEL + GAP), columns * (width + GAP)), np.nan, dtype=np.float32)
    high, wide = canvas.shape
    inches = max(wide + 2 * MARGIN, 360) / DPI, (high + 2 * MARGIN) / DPI
    figure = Figure(figsize=inches, dpi=DPI)
    left, bottom = MARGIN / DPI / inches[0], MARGIN / 2 / DPI / inches[1]
    axes = figure.add_axes((left, bottom, wide / DPI / inches[0], high / DPI / inches[1]))
    for number, each in enumerate(maps):
        top, beside = (number // columns) * (height + LABEL + GAP), (number % columns) * (width + GAP)
        canvas[top + LABEL : top + LABEL + height, beside : beside + width] = _stretched(each)
        axes.text(beside, top + LABEL - 3, str(number), fontsize=6, color=INK)
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
    some = f", the first {shown}" if shown < len(found.maps) else ""
    return f"{found.network} · {found.node} · {show_sizes(found.shape)}{some} · {found.file.name}"


def _drawn_size(maps: Tensor) -> Tensor:
    """The maps enlarged by a whole number until they can be seen, or made small enough for a page."""
    longest = max(maps.shape[1:])
    largest = max(SMALLEST, min(LARGEST, PAGE // math.isqrt(len(maps))))
    if longest > largest:
        height, width = (max(1, each * largest // longest) for each in maps.shape[1:])
        return F.adaptive_avg_pool2d(maps, (height, width))
    factor = -(-SMALLEST // longest)
    return maps.repeat_interleave(factor, 1).repeat_interleave(factor, 2)


def _stretched(each: Tensor) -> Any:
    """A map from 0 to 1; one that is the same everywhere is 0."""
    low, high = float(each.min()), float(each.max())
    return ((each - low) / (high - low or 1.0)).numpy()
