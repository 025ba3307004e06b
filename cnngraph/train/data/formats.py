"""Which files are images, and which entries of a folder are never data: one rule for everything that reads folders."""

from __future__ import annotations

import os

from PIL import Image

# Raster formats that Pillow decodes by itself. Left out: those that start other programs (EPS), that are drawings or
# films, that may unpack to any size (FITS), and those for which Pillow only has an empty place (HDF5, GRIB).
RASTER = {
    "AVIF", "BMP", "CUR", "DCX", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "MSP", "PCX",
    "PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM",
}  # fmt: skip
ENDINGS = tuple(sorted(ending for ending, kind in Image.registered_extensions().items() if kind in RASTER))
FORMATS = tuple(each for each in Image.ID if each in RASTER)  # what a file may hold, tried in Pillow's order

_ENDINGS = frozenset(ENDINGS)
_SYSTEM = frozenset(
    (
        "__macosx", "__pycache__", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
        "lost+found", "$recycle.bin", "recycler", "recycled", "system volume information", "found.000",
        "network trash folder", "temporary items", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",
        "icon\r", "cvs",
    )
)  # fmt: skip


def is_image(name: str) -> bool:
    """Whether a file of this name is taken for an image."""
    return os.path.splitext(name)[1].lower() in _ENDINGS


def is_clutter(name: str) -> bool:
    """Whether an entry is hidden or belongs to a system or a program: never data, at any depth."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM
