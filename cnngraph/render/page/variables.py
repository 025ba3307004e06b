"""The colours of a page: CSS variables, so that one drawing is shown in a light, a dark and a printed theme."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cnngraph.render.colours import FILLS, THEMES, TINT, Theme

PLAIN = ("ground", "ink", "grey", "line", "frame_line", "box", "terminal", "terminal_ink", "pale", "other", "deep")


class _Variables(Theme):
    """A theme whose colours are variables."""

    def tint(self, kind: str, level: int) -> str:
        """The background colour of a kind of op that is dilated."""
        fill = self.fill(kind)
        return f"color-mix(in srgb, var(--deep) {100 * TINT * level:.0f}%, {fill})" if level else fill

    def edge(self, kind: str) -> str:
        """The border colour of a kind of op."""
        return f"var(--{kind if kind in self.fills else 'other'}-edge)"


_NAMES: dict[str, Any] = {name: f"var(--{name.replace('_', '-')})" for name in PLAIN}
_FILLS = {kind: f"var(--{kind})" for kind in FILLS}
VARIABLES: Theme = _Variables(**_NAMES, frame_fills=("var(--frame0)", "var(--frame1)"), fills=_FILLS)


def declarations(name: str) -> str:
    """The CSS declarations of all variables for one of THEMES."""
    return "".join(f"--{variable}:{colour};" for variable, colour in _values(THEMES[name]))


def _values(theme: Theme) -> Iterator[tuple[str, str]]:
    for name in PLAIN:
        yield name.replace("_", "-"), getattr(theme, name)
    yield from (("frame0", theme.frame_fills[0]), ("frame1", theme.frame_fills[1]), ("other-edge", theme.edge("")))
    for kind in FILLS:
        yield kind, theme.fill(kind)
        yield f"{kind}-edge", theme.edge(kind)
