"""The colours of drawings: light fills by kind of op, distinguishable in print and by colour-blind readers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import field

from cnngraph.frozen import frozen

INK = "#20242b"
GREY = "#6b7280"
LINE = "#4b5563"
FRAME_LINE = "#c3cad5"
FRAME_FILLS = ("#f6f7f9", "#eceff3")  # alternating by level
TERMINAL = "#374151"
PALE = "#9ca3af"  # for nodes that never run

FILLS = {
    "conv": "#b9d9f0",
    "transposed": "#7fcbd6",
    "linear": "#d9c9ec",
    "attention": "#efc3e6",
    "pool": "#f7cda5",
    "norm": "#f5ebb0",
    "activation": "#c2e6d3",
    "merge": "#ffffff",
    "reduction": "#f9dfc0",
    "arithmetic": "#ecebe2",
    "dropout": "#e3e3e3",
    "reshape": "#f1f1f1",
    "resize": "#bfe6ea",
    "scope": "#e4e8ef",
    "error": "#fde3e1",
}
TINT = 0.28  # how much deeper the colour of a dilated convolution is at each level
OTHER = "#f6d3dc"  # for kinds defined by plugins


@frozen
class Theme:
    """All colours of a drawing. `shade` is how much darker (below 1) or lighter a border is than its fill."""

    ground: str = "#ffffff"
    ink: str = INK
    grey: str = GREY
    line: str = LINE
    frame_line: str = FRAME_LINE
    frame_fills: tuple[str, str] = FRAME_FILLS
    box: str = "#ffffff"  # a box with several rows, or one that does not always run
    terminal: str = TERMINAL
    terminal_ink: str = "#ffffff"
    pale: str = PALE
    fills: Mapping[str, str] = field(default_factory=FILLS.copy)
    other: str = OTHER
    wrong: str = "#c5221f"  # the border of a node with an error
    shade: float = 0.62
    deep: str = "#2f7fc1"  # the colour towards which a dilated convolution is tinted

    def fill(self, kind: str) -> str:
        """The background colour of a kind of op."""
        return self.fills.get(kind, self.other)

    def tint(self, kind: str, level: int) -> str:
        """The background colour of a kind of op that is dilated; level 0 is not."""
        return mixed(self.fill(kind), self.deep, TINT * level) if level else self.fill(kind)

    def edge(self, kind: str) -> str:
        """The border colour of a kind of op."""
        return self.wrong if kind == "error" else shaded(self.fill(kind), self.shade)


def mixed(colour: str, other: str, part: float) -> str:
    """A colour between two."""
    pairs = ((int(text[place : place + 2], 16) for text in (colour, other)) for place in (1, 3, 5))
    return "#" + "".join(f"{round(one + (two - one) * part):02x}" for one, two in pairs)


def shaded(colour: str, shade: float) -> str:
    """The colour, darker (below 1) or lighter."""
    parts = (min(255, int(int(colour[place : place + 2], 16) * shade)) for place in (1, 3, 5))
    return "#" + "".join(f"{part:02x}" for part in parts)


_DARK = {
    "conv": "#1f4a6b",
    "transposed": "#1b7480",
    "linear": "#4c3a6b",
    "attention": "#6a2f60",
    "pool": "#74481f",
    "norm": "#5f5620",
    "activation": "#23573f",
    "merge": "#20252d",
    "reduction": "#6a5130",
    "arithmetic": "#47463b",
    "dropout": "#454a52",
    "reshape": "#363b43",
    "resize": "#1f5a61",
    "scope": "#303844",
    "error": "#4a1f1d",
}

THEMES = {
    "light": Theme(),
    "dark": Theme(
        ground="#14171c",
        ink="#e8ebf0",
        grey="#9aa4b2",
        line="#a3adbb",
        frame_line="#4a5361",
        frame_fills=("#232830", "#1b2027"),
        box="#20252d",
        terminal="#d5dbe4",
        terminal_ink="#14171c",
        pale="#667080",
        fills=_DARK,
        other="#6b2f43",
        wrong="#ff6b61",
        shade=1.7,
        deep="#3f8ac4",
    ),
    "print": Theme(ink="#000000", grey="#444444", line="#000000", frame_line="#888888", frame_fills=("#ffffff",) * 2),
}


def fill(kind: str) -> str:
    """The background colour of a kind of op, in the light theme."""
    return THEMES["light"].fill(kind)


def edge(kind: str) -> str:
    """The border colour of a kind of op, in the light theme."""
    return THEMES["light"].edge(kind)
