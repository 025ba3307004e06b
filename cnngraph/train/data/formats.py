"""Which files are images, and which entries of a folder are never data."""

from __future__ import annotations

import os

from PIL import Image

# Raster formats that Pillow decodes by itself. Excluded: formats that start other programs (EPS), vector graphics and
# videos, formats that may decompress to any size (FITS), and formats for which Pillow has only a stub (HDF5, GRIB).
RASTER = {
    "AVIF", "BMP", "CUR", "DCX", "DDS", "DIB", "GIF", "ICNS", "ICO", "JPEG", "JPEG2000", "MPO", "MSP", "PCX",
    "PNG", "PPM", "PSD", "QOI", "SGI", "SUN", "TGA", "TIFF", "WEBP", "XBM", "XPM",
}  # fmt: skip
EXTENSIONS = tuple(sorted(ending for ending, kind in Image.registered_extensions().items() if kind in RASTER))
FORMATS = tuple(kind for kind in Image.ID if kind in RASTER)  # the accepted formats, tried in Pillow's order

_EXTENSIONS = frozenset(EXTENSIONS)
_SYSTEM = frozenset(
    (
        "__macosx", "__pycache__", "@eadir", "@tmp", "@recycle", "@recently-snapshot", "#recycle", "#snapshot",
        "lost+found", "$recycle.bin", "recycler", "recycled", "system volume information", "found.000",
        "network trash folder", "temporary items", "thumbs.db", "ehthumbs.db", "ehthumbs_vista.db", "desktop.ini",
        "icon\r", "cvs",
    )
)  # fmt: skip


def is_image(name: str) -> bool:
    """Whether a file of this name is treated as an image."""
    return os.path.splitext(name)[1].lower() in _EXTENSIONS


def is_clutter(name: str) -> bool:
    """Whether an entry is hidden or belongs to the system or a program, and so is never data."""
    return name.startswith((".", "~$")) or name.lower() in _SYSTEM
