"""Widths of text in Helvetica, and in the fonts with the same metrics: Arial, Liberation Sans, Arimo, Nimbus Sans.

Texts are laid out with these widths, and drawings name these fonts, so that they look the same on every machine.
"""

from __future__ import annotations

import unicodedata
from functools import lru_cache

FAMILY = "Helvetica, Arial, 'Liberation Sans', Arimo, 'Nimbus Sans', sans-serif"
_EM = 1000  # units of the widths

# Widths of the characters from space to ~, in thousandths of the font size: Adobe's metrics of the core fonts.
_PLAIN = (
    *(278, 278, 355, 556, 556, 889, 667, 191, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 278, 278, 584, 584, 584, 556),
    *(1015, 667, 667, 722, 722, 667, 611, 778, 722, 278, 500, 667, 556, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 278, 278, 278, 469, 556),
    *(333, 556, 556, 500, 556, 556, 278, 556, 556, 222, 222, 500, 222, 833, 556, 556),
    *(556, 556, 333, 500, 278, 556, 500, 722, 500, 500, 500, 334, 260, 334, 584),
)
_BOLD = (
    *(278, 333, 474, 556, 556, 889, 722, 238, 333, 333, 389, 584, 278, 333, 278, 278),
    *(556, 556, 556, 556, 556, 556, 556, 556, 556, 556, 333, 333, 584, 584, 584, 611),
    *(975, 722, 722, 722, 722, 667, 611, 778, 722, 278, 556, 722, 611, 833, 722, 778),
    *(667, 778, 722, 667, 611, 722, 667, 944, 667, 667, 611, 333, 278, 333, 584, 556),
    *(333, 556, 611, 556, 611, 556, 333, 611, 611, 278, 278, 556, 278, 889, 611, 611),
    *(611, 611, 389, 556, 333, 611, 556, 778, 556, 556, 500, 389, 280, 389, 584),
)
_OTHERS = {"×": 584, "·": 278, "…": 1000, "−": 584, "→": 1000, "↑": 500, "α": 578, "∞": 713}


@lru_cache(maxsize=4096)
def text_width(text: str, size: float, *, bold: bool = False) -> float:
    """The width of one line of text in points, at a font size in points."""
    widths = _BOLD if bold else _PLAIN
    return sum(_width(character, widths) for character in text) * size / _EM


def _width(character: str, widths: tuple[int, ...]) -> int:
    place = ord(character) - ord(" ")
    if 0 <= place < len(widths):
        return widths[place]
    wide = unicodedata.east_asian_width(character) in "WF"
    return _OTHERS.get(character, _EM if wide else 600)
