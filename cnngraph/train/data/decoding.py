"""Decoding of image files to 8-bit Pillow images: every problem of a file is an ImageError, and sizes are bounded."""

from __future__ import annotations

import io
import logging
import os
import stat
import threading
import warnings
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import IO, Any
from zlib import crc32

import numpy as np
from PIL import ExifTags, Image, TiffImagePlugin, UnidentifiedImageError

from cnngraph.train.data.formats import FORMATS

MAX_PIXELS = 2**26  # per image; decoding and converting that many takes 0.7 GB
LARGE = 2**24  # pixels; larger images are decoded one at a time, and JPEGs at half their size or less
BROKEN_FILE_HELP = "replace or delete it, or set `broken: skip` in the recipe's `data` to skip such files"

_ORIENTATIONS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
PNG = b"\x89PNG\r\n\x1a\n"
_DEPTHS = (2**8, 2**12, 2**16)  # number of integer values: 8 bits, a camera's 12 bits, 16 bits
_one_at_a_time = threading.Lock()


def silence_pillow() -> None:
    """Suppress Pillow's warnings about single files: what matters is raised as an ImageError."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())


silence_pillow()


class ImageError(Exception):
    """A file that cannot be decoded as an image."""


def image_error(file: str | Path | Image.Image, reason: object) -> ImageError:
    """The error for a file that cannot be read."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    name = "in memory" if isinstance(file, Image.Image) else file
    return ImageError(f"cannot read the image {name}: {text}")


def load_upright(file: str | Path | Image.Image, mode: str) -> Image.Image:
    """An image file or a Pillow image, rotated as its EXIF data say, in mode L or RGB. Raises ImageError."""
    try:
        if isinstance(file, Image.Image):
            return _upright(file, mode)
        with _opened(file) as stream:
            try:
                return _decoded(stream, mode)
            except _RefusedError:
                raise
            except Exception:
                stream.seek(0)
                if (stripped := _without_metadata(stream)) is None:
                    raise
            return _decoded(stripped, mode)
    except Exception as error:  # damaged files make decoders raise anything
        raise image_error(file, _reason(error)) from None


class _RefusedError(ValueError):
    """A file that is refused although Pillow could decode it."""


def _reason(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or not in a known image format"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _opened(file: str | Path) -> IO[bytes]:
    """A regular file, opened for reading: a pipe or device could block or never end."""
    number = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = os.fstat(number).st_mode
    if not stat.S_ISREG(kind):
        os.close(number)
        raise _RefusedError("it is a folder" if stat.S_ISDIR(kind) else "it is a pipe or device, not a regular file")
    return os.fdopen(number, "rb")


def _decoded(stream: IO[bytes], mode: str) -> Image.Image:
    """An open file as an upright image."""
    with Image.open(stream, formats=FORMATS) as image:
        pixels = image.width * image.height
        if image.format in {"JPEG", "MPO"} and pixels > LARGE:
            factor = next(factor for factor in (2, 4, 8) if pixels <= LARGE * factor**2 or factor == 8)
            image.draft(None, (image.width // factor, image.height // factor))
            pixels = image.width * image.height
        if pixels > MAX_PIXELS:
            raise _RefusedError(f"it has too many pixels: {pixels:,} (limit: {MAX_PIXELS:,})")
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _ignore_damaged_tags(image)
        with _one_at_a_time if pixels > LARGE else nullcontext():
            return _upright(image, mode)


def _upright(image: Image.Image, mode: str) -> Image.Image:
    """Load an opened image, rotate it upright and convert it to a mode."""
    image.load()
    return _eight_bit(_rotated(image)).convert(mode)


def _ignore_damaged_tags(image: TiffImagePlugin.TiffImageFile) -> None:
    """Ignore Pillow's errors in the tags that it reads after the pixels."""
    read_tags = image.load_end

    def load_end() -> None:
        with suppress(Exception):
            read_tags()

    image.load_end = load_end  # type: ignore[method-assign]


def _rotated(image: Image.Image) -> Image.Image:
    """The image rotated by its EXIF orientation; unchanged if the EXIF data are damaged."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # damaged EXIF data; the pixels are fine
        return image
    method = _ORIENTATIONS.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _without_metadata(stream: IO[bytes]) -> IO[bytes] | None:
    """A PNG file without its metadata chunks, in which Pillow refuses any damage. None for other files."""
    if stream.read(len(PNG)) != PNG:
        return None
    kept = [PNG]
    while len(head := stream.read(8)) == 8:
        length, kind = int.from_bytes(head[:4], "big"), head[4:]
        if length >= 2**31:
            return None
        body = stream.read(length + 4)
        if kind[:1].isupper() or (kind == b"tRNS" and crc32(kind + body[:-4]) == int.from_bytes(body[-4:], "big")):
            kept += [head, body]
    return io.BytesIO(b"".join(kept))


def _eight_bit(image: Image.Image) -> Image.Image:
    """Scale an image of floats or of integers of more than 8 bits to bytes; Pillow would clip all values at 255.

    Floats are from 0 to 1, or else from 0 to 255. Integers have 8, 12 or 16 bits, the fewest that hold all values.
    Raises _RefusedError for other values.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if image.mode != "F":
        return Image.fromarray((values // (_value_count(values) // 256)).astype(np.uint8))
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= 255:
        raise _RefusedError(f"its values must be from 0 to 255, got {low:g} to {high:g}")
    return Image.fromarray((values * (255 if high <= 1 else 1)).round().astype(np.uint8))


def _value_count(pixels: np.ndarray[Any, Any]) -> int:
    """The number of values at the smallest bit depth that holds an image's integers."""
    low, high = int(pixels.min()), int(pixels.max())
    count = next((count for count in _DEPTHS if low >= 0 and high < count), None)
    if count is None:
        raise _RefusedError(f"its values do not fit in 16 bits: {low:,} to {high:,}")
    return count


def bit_depth(file: str | Path) -> int | None:
    """The bit depth at which the integers of a grey image are read; None for other images and broken ones."""
    try:
        with _opened(file) as stream, Image.open(stream, formats=FORMATS) as image:
            if not image.mode.startswith("I") or image.width * image.height > MAX_PIXELS:
                return None
            return _value_count(np.asarray(image)).bit_length() - 1
    except Exception:  # reported when the image is read
        return None
