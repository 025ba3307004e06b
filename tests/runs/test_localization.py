"""The picture of a localisation shows the map on an image of any colour: measured in its pixels."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image

from cnngraph.runs.classifier import Box
from cnngraph.runs.localization import Localization, drawn_image, localization_figure, overlay
from cnngraph.runs.localizer import bounding_box
from cnngraph.train.record.plots import save_figure

WIDTH, HEIGHT = 96, 72
RANDOM = np.random.default_rng(0)
IMAGES: dict[str, Any] = {
    "red": (220, 20, 20),
    "white": (255, 255, 255),
    "black": (0, 0, 0),
    "grey": (128, 128, 128),
    "yellow": (240, 249, 33),  # as the largest score
    "blue": (13, 8, 135),  # as the score 0
    "noise": RANDOM.integers(0, 256, (HEIGHT, WIDTH, 3)),
    "grey noise": RANDOM.integers(0, 256, (HEIGHT, WIDTH, 1)).repeat(3, 2),
}
BLOB = torch.zeros(6, 8)
BLOB[2:4, 2:4] = 4.0


def localization(folder: Path, image: Any, scores: torch.Tensor = BLOB, visible: Box | None = None) -> Localization:
    """What was found in an image of this colour, or with these pixels."""
    pixels = np.broadcast_to(np.asarray(image, dtype=np.uint8), (HEIGHT, WIDTH, 3))
    file = folder / "image.png"
    Image.fromarray(np.ascontiguousarray(pixels)).save(file)
    visible = visible or Box(0, 0, WIDTH, HEIGHT)
    box = bounding_box(scores, 0.2, visible)
    return Localization(
        file, "cat", 1.0, 0.5, scores, "CAM", "layer4", 0.2, visible=visible, box=box, size=(WIDTH, HEIGHT)
    )


def lab(colours: Any) -> Any:
    """CIELAB of sRGB colours from 0 to 1; a distance of 2 is just visible."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    matrix = [[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]
    xyz = linear @ np.array(matrix).T / [0.9505, 1.0, 1.089]
    root = np.where(xyz > 0.008856, np.cbrt(xyz), 7.787 * xyz + 16 / 116)
    x, y, z = np.moveaxis(root, -1, 0)
    return np.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], -1)


@pytest.mark.parametrize("image", IMAGES)
def test_scores_are_visible_on_any_image(tmp_path: Path, image: str) -> None:
    found = localization(tmp_path, IMAGES[image])
    drawn = overlay(drawn_image(found), found)
    high, wide = drawn.shape[:2]
    part = high // 24
    colours = [
        lab(drawn[round(y * high) - part : round(y * high) + part, round(x * wide) - part : round(x * wide) + part])
        for x, y in ((0.375, 0.5), (0.9, 0.9))  # in the centre of the blob, and far from it
    ]
    strong, weak = (patch.mean((0, 1)) for patch in colours)
    assert np.linalg.norm(strong - weak) > 50
    inside, outside = (np.linalg.norm(patch[..., 1:], axis=-1) for patch in colours)  # chroma
    assert inside.min() > 25 + outside.max()  # every pixel has a colour, and none that the image has
    rows = lab(drawn[high // 2 - part : high // 2 + part].mean(0))
    steps = [rows[round(x * wide)] for x in (0.18, 0.22, 0.26, 0.3)]  # from the edge of the blob to its centre
    assert all(np.linalg.norm(after - before) > 12 for before, after in pairwise(steps))


def pixels_of(found: Localization) -> tuple[Any, Any]:
    """The figure's pixels, from 0 to 1, and the pixels of its second panel."""
    stream = io.BytesIO()
    figure = localization_figure(found)
    save_figure(figure, stream, format="png")
    pixels = np.asarray(Image.open(stream).convert("RGB")) / 255
    left, bottom, right, top = map(round, figure.axes[1].get_window_extent().extents)
    return pixels, pixels[len(pixels) - top : len(pixels) - bottom, left:right]


@pytest.mark.parametrize("image", IMAGES)
def test_the_outline_is_visible_on_any_image(tmp_path: Path, image: str) -> None:
    """White with black beside it, where the scores are half of the maximum: at a quarter and half of the width."""
    _, panel = pixels_of(localization(tmp_path, IMAGES[image]))
    row = panel[round(0.5 * len(panel))].mean(-1)
    white = [index / len(row) for index in range(6, len(row) - 6) if row[index] > 0.97]
    dark = [row[round(x * len(row)) - 6 : round(x * len(row)) + 6].min() for x in white]
    groups = sorted({round(x, 1) for x in white})
    assert len(white) >= 4
    assert max(dark) < 0.1  # a contrast of more than 12:1
    assert any(abs(x - 0.25) < 0.03 for x in white), groups
    assert any(abs(x - 0.5) < 0.03 for x in white), groups


def test_the_outline_of_a_region_at_the_edge_is_closed(tmp_path: Path) -> None:
    everywhere = torch.ones(6, 8)
    _, panel = pixels_of(localization(tmp_path, (0, 0, 0), everywhere))
    edges = panel[:, :12], panel[:, -12:], panel[:12, :], panel[-12:, :]
    for axis, edge in zip((1, 1, 0, 0), edges, strict=True):
        assert (edge.mean(-1).max(axis) > 0.9).mean() > 0.95


def test_scores_below_zero_and_what_the_network_does_not_see_show_the_image(tmp_path: Path) -> None:
    scores = torch.full((4, 4), -3.0)
    scores[0, 0] = 1.0
    found = localization(tmp_path, (200, 30, 30), scores, Box(24, 0, 96, 72))
    drawn = overlay(drawn_image(found), found)
    high, wide = drawn.shape[:2]
    grey = drawn[high - 1, 0]
    assert np.ptp(grey) < 1e-6
    np.testing.assert_allclose(drawn[:, : wide // 4 - 1], np.broadcast_to(grey, (high, wide // 4 - 1, 3)), atol=1e-6)
    negative = drawn[high // 2 :, wide * 3 // 4 :].reshape(-1, 3)
    np.testing.assert_allclose(negative, np.broadcast_to(grey, negative.shape), atol=1e-6)
    assert np.linalg.norm(lab(drawn[5, wide // 4 + 5]) - lab(grey)) > 30


@pytest.mark.parametrize("value", [0.0, -1.0, float("nan")])
def test_a_map_without_positive_scores_can_be_drawn(tmp_path: Path, value: float) -> None:
    found = localization(tmp_path, (200, 30, 30), torch.full((4, 4), value))
    assert found.box is None
    _, panel = pixels_of(found)
    assert float(np.ptp(panel[5:-5, 5:-5], axis=-1).max()) < 0.01  # only the image, in grey


def test_titles_and_scale(tmp_path: Path) -> None:
    figure = localization_figure(localization(tmp_path, (200, 30, 30), BLOB - 1))
    first, second, third = figure.axes
    assert [axes.get_title(loc="left") for axes in (first, second, third)] == [
        "image.png",
        "cat, 50.0 %",
        "CAM at layer4, 6×8",
    ]
    (bar,) = third.child_axes
    assert [label.get_text() for label in bar.get_yticklabels()] == ["0", "0.6 box", "1.5 outline", "3"]
    assert bar.get_ylabel() == "score (grey: below 0)"


@pytest.mark.parametrize("format", ["png", "svg", "pdf"])
def test_the_same_bytes_each_time(tmp_path: Path, format: str) -> None:
    found = localization(tmp_path, IMAGES["noise"])
    first, second = io.BytesIO(), io.BytesIO()
    for stream in (first, second):
        save_figure(localization_figure(found), stream, format=format)
    assert first.getvalue() == second.getvalue()
    assert not any(word in first.getvalue() for word in (b"<dc:date>", b"CreationDate"))
