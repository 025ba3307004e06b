"""The colours of plots, for light and dark pages, as those of drawings.

Lines and names have a contrast of at least 4.5 with the page.
"""

from __future__ import annotations

from cnngraph.frozen import frozen


@frozen
class Theme:
    """The colours of text, of less important text, of grid lines and of the page, and those of `lines` in order."""

    ink: str
    pale: str
    grid: str
    paper: str
    lines: tuple[str, ...]
    many: tuple[float, float]  # the range of the continuous colour map that is legible on the page

    def line_colours(self, count: int) -> list[str]:
        """A colour for each of `count` lines; those of a continuous colour map if there are too few others."""
        if count <= len(self.lines):
            return list(self.lines[:count])
        from matplotlib import colormaps
        from matplotlib.colors import to_hex

        low, high = self.many
        return [to_hex(colormaps["turbo"](low + (high - low) * place / (count - 1))) for place in range(count)]


LIGHT = Theme(
    ink="#334155",
    pale="#64748b",
    grid="#e2e8f0",
    paper="#ffffff",
    lines=(
        *("#1d4ed8", "#c2410c", "#15803d", "#be185d", "#7e22ce"),
        *("#0e7490", "#854d0e", "#b91c1c", "#475569", "#4d7c0f"),
    ),
    many=(0.0, 1.0),
)
DARK = Theme(
    ink="#e8ebf0",
    pale="#9aa4b2",
    grid="#333b47",
    paper="#14171c",
    lines=(
        *("#60a5fa", "#fb923c", "#4ade80", "#f472b6", "#c084fc"),
        *("#22d3ee", "#facc15", "#f87171", "#cbd5e1", "#bef264"),
    ),
    many=(0.1, 0.95),
)
