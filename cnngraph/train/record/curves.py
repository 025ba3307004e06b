"""Loss and accuracy by epoch, as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cnngraph.train.record.figures import save_figure, tick_whole_numbers
from cnngraph.train.record.records import Epoch, Figures

TRAIN, HELD, TEST = "#9aa5b1", "#2563eb", "#d97706"
INK, GRID = "#334155", "#e2e8f0"


def draw_curves(path: Path, title: str, epochs: tuple[Epoch, ...], best: Epoch | None, test: Figures | None) -> None:
    """Draw a PNG: the loss on the left, the accuracy on the right; the best epoch and the test figures are marked."""
    from matplotlib.figure import Figure  # takes half a second to import, and is needed once, at the end

    figure = Figure(figsize=(10, 3.8), dpi=150, layout="constrained")
    figure.suptitle(title, x=0.01, ha="left", color=INK, fontsize=11, fontweight="bold")
    numbers = [each.number for each in epochs]
    held_part = epochs[-1].held_part
    for axes, name in zip(figure.subplots(1, 2), ("loss", "accuracy"), strict=True):
        scale = 100 if name == "accuracy" else 1
        marker = "o" if len(epochs) < 25 else None
        train = [scale * getattr(each.train, name) for each in epochs]
        held = [scale * getattr(each.held, name) for each in epochs]
        axes.plot(numbers, train, color=TRAIN, marker=marker, markersize=3, label="train, while learning")
        axes.plot(numbers, held, color=HELD, marker=marker, markersize=3, label=held_part)
        if best:
            value = scale * getattr(best.held, name)
            label = f"best epoch: {best.number}"
            axes.plot([best.number], [value], "o", markersize=8, markerfacecolor="none", color=HELD, label=label)
        if test and held_part != "test":
            value = scale * getattr(test, name)
            axes.axhline(value, color=TEST, linewidth=1, linestyle=(0, (4, 3)), label="test, once at the end")
        dress(axes, "accuracy, %" if scale == 100 else "loss")
    save_figure(figure, path, format="png")


def dress(axes: Any, title: str) -> None:
    """Quiet axes: no box, a pale grid, whole epochs."""
    axes.set_title(title, loc="left", fontsize=10, color=INK)
    axes.set_xlabel("epoch", color=INK, fontsize=9)
    tick_whole_numbers(axes)
    axes.tick_params(colors=INK, labelsize=8, length=0)
    axes.grid(color=GRID, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axes.spines[side].set_visible(False)
    axes.legend(frameon=False, fontsize=8, labelcolor=INK)
