"""The colours of all formats: light fills by kind of op, distinguishable in print and by colour-blind readers."""

from __future__ import annotations

INK = "#20242b"
GREY = "#6b7280"
LINE = "#4b5563"
FRAME_LINE = "#c3cad5"
FRAME_FILLS = ("#f6f7f9", "#eceff3")  # alternating by level
TERMINAL = "#374151"
PALE = "#9ca3af"  # for nodes that never run

FILLS = {
    "conv": "#b9d9f0",
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
}
OTHER = "#f6d3dc"  # for kinds defined by plugins


def fill(kind: str) -> str:
    """The background colour of a kind of op."""
    return FILLS.get(kind, OTHER)


def edge(kind: str) -> str:
    """The border colour of a kind of op: its background, darker."""
    red, green, blue = (int(fill(kind)[place : place + 2], 16) for place in (1, 3, 5))
    return f"#{int(red * 0.62):02x}{int(green * 0.62):02x}{int(blue * 0.62):02x}"
