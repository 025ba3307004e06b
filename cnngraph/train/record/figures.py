"""Figures of matplotlib's as files, whatever script the names in them are written in."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from cnngraph.text import one_line

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = (  # fonts with glyphs that matplotlib's own one lacks, as Linux, macOS and Windows have them
    "Noto Sans CJK SC", "Noto Sans CJK JP", "Noto Sans CJK TC", "Noto Sans CJK KR", "Source Han Sans SC",
    "WenQuanYi Zen Hei", "WenQuanYi Micro Hei", "Droid Sans Fallback",
    "PingFang SC", "Hiragino Sans GB", "Hiragino Sans", "Heiti TC", "Apple SD Gothic Neo", "Arial Unicode MS",
    "Microsoft YaHei", "SimHei", "Yu Gothic", "MS Gothic", "Malgun Gothic",
    "Noto Sans Arabic", "Noto Sans Devanagari", "Noto Sans Thai",
    "Noto Emoji", "Segoe UI Emoji", "Segoe UI Symbol", "Symbola",
)  # fmt: skip


def save_figure(figure: Figure, file: Path | IO[Any], **options: Any) -> None:
    """Save a figure; a glyph that no font here has is drawn as a box, without a word."""
    from matplotlib import rcParams
    from matplotlib.font_manager import fontManager
    from matplotlib.text import Text

    installed = set(fontManager.get_font_names())
    families = [*rcParams["font.family"], *(each for each in WIDE if each in installed)]
    for text in figure.findobj(Text):
        text.set_fontfamily(families)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        figure.savefig(file, **options)


def tick_whole_numbers(axes: Any) -> None:
    """Ticks from left to right at whole numbers alone, also where there is but one of them."""
    axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)


def plain(text: str) -> str:
    """A name as matplotlib may draw it: dollars are no mathematics, and what is invisible is escaped."""
    return one_line(text).replace("$", r"\$")
