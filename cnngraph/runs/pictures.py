"""Pictures of trained networks: written to files, and as the PNG that notebooks show."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from cnngraph.diagnostics import SpecError
from cnngraph.packages import explained

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PICTURES = (".png", ".svg", ".pdf")


def checked_path(path: str | Path, endings: Sequence[str] = PICTURES) -> Path:
    """The path of a file to write. Raises ValueError if it has none of the endings."""
    file = Path(path)
    if file.suffix.lower() not in endings:
        raise ValueError(f"{file} must end in {', '.join(endings[:-1])} or {endings[-1]}")
    return file


@explained()
def write_picture(path: str | Path, figure: Callable[[], Figure]) -> Path:
    """Draw a figure and write it as PNG, SVG or PDF, by the ending of the path.

    Raises ValueError for another ending, and SpecError (E621) if an image in it cannot be read.
    """
    file = checked_path(path)
    from cnngraph.train.data.decoding import ImageError
    from cnngraph.train.record.run_file_formats import write_figure

    try:
        write_figure(file, figure())
    except ImageError as error:
        raise SpecError.of("E621", str(error)) from None
    return file


@explained()
def png_of(figure: Figure) -> bytes:
    """The figure as PNG."""
    from cnngraph.train.record.plots import save_figure

    stream = io.BytesIO()
    save_figure(figure, stream, format="png")
    return stream.getvalue()
