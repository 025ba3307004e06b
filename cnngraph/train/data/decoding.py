"""Image files to Pillow's images of 8 bits: whatever is wrong with a file is one error, and nothing is unbounded."""

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

MOST_PIXELS = 2**26  # of an image; decoded and converted, so many take 0.7 GB
LARGE = 2**24  # pixels; of larger images one is decoded at a time, and a JPEG at half its size or less
HELP = "replace or delete it, or set broken: skip in the recipe's data to leave such files out"

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
_DEPTHS = (2**8, 2**12, 2**16)  # how many values whole numbers may have: bytes, a camera's 12 bits, 16 bits
_one_at_a_time = threading.Lock()


def quiet_library() -> None:
    """Keep Pillow's warnings about single files to itself: what matters of them is raised as an ImageError."""
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").addHandler(logging.NullHandler())


quiet_library()


class ImageError(Exception):
    """A file is no image that can be decoded."""


def failure(file: str | Path | Image.Image, reason: object) -> ImageError:
    """The error for a file that cannot be read."""
    text = " ".join(str(reason).split()) or type(reason).__name__
    name = "in memory" if isinstance(file, Image.Image) else file
    return ImageError(f"cannot read the image {name}: {text}")


def upright(file: str | Path | Image.Image, mode: str) -> Image.Image:
    """An image, a file or one of Pillow's, as it is to be looked at, in Pillow's mode L or RGB. Raises ImageError."""
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
                if (bare := _without_metadata(stream)) is None:
                    raise
            return _decoded(bare, mode)
    except Exception as error:  # damaged files make decoders raise anything
        raise failure(file, _reason(error)) from None


class _RefusedError(ValueError):
    """A file that could be decoded, and is not."""


def _reason(error: Exception) -> str:
    if isinstance(error, _RefusedError):
        return str(error)
    if isinstance(error, UnidentifiedImageError):
        return "it is empty or in no known image format"
    if isinstance(error, Image.DecompressionBombError):
        return "it has too many pixels"
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    return " ".join(str(error).split()) or type(error).__name__


def _opened(file: str | Path) -> IO[bytes]:
    """A regular file, opened for reading: a pipe or a device would never end, or never begin."""
    number = os.open(file, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
    kind = os.fstat(number).st_mode
    if not stat.S_ISREG(kind):
        os.close(number)
        raise _RefusedError("it is a folder" if stat.S_ISDIR(kind) else "it is not a regular file but a pipe or device")
    return os.fdopen(number, "rb")


def _decoded(stream: IO[bytes], mode: str) -> Image.Image:
    """An open file as an upright image."""
    with Image.open(stream, formats=FORMATS) as image:
        pixels = image.width * image.height
        if image.format in {"JPEG", "MPO"} and pixels > LARGE:
            factor = next(each for each in (2, 4, 8) if pixels <= LARGE * each**2 or each == 8)
            image.draft(None, (image.width // factor, image.height // factor))
            pixels = image.width * image.height
        if pixels > MOST_PIXELS:
            raise _RefusedError(f"it has too many pixels: {pixels:,}, and {MOST_PIXELS:,} is the most")
        if isinstance(image, TiffImagePlugin.TiffImageFile):
            _ignore_damaged_tags(image)
        with _one_at_a_time if pixels > LARGE else nullcontext():
            return _upright(image, mode)


def _upright(image: Image.Image, mode: str) -> Image.Image:
    """An opened image, loaded, turned, and in that mode."""
    image.load()
    return _eight_bit(_turned(image)).convert(mode)


def _ignore_damaged_tags(image: TiffImagePlugin.TiffImageFile) -> None:
    """Keep an image whose pixels are decoded, though Pillow fails on the tags that it reads after them."""
    reads_tags = image.load_end

    def load_end() -> None:
        with suppress(Exception):
            reads_tags()

    image.load_end = load_end  # type: ignore[method-assign]


def _turned(image: Image.Image) -> Image.Image:
    """The image as the camera was held; damaged EXIF data do not say how."""
    try:
        orientation = image.getexif().get(ExifTags.Base.Orientation)
    except Exception:  # the pixels are fine
        return image
    method = _ORIENTATIONS.get(orientation) if isinstance(orientation, int) else None
    return image if method is None else image.transpose(method)


def _without_metadata(stream: IO[bytes]) -> IO[bytes] | None:
    """A PNG file without the chunks that only describe it: Pillow refuses damage there. None for other files."""
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
    """An image of fractions or of whole numbers of more than 8 bits as bytes: Pillow would make all over 255 white.

    Fractions go from 0 to 1, or else they are bytes. Whole numbers are bytes, have 12 bits or 16: the fewest that
    hold them. Raises _RefusedError where they can be none of these.
    """
    if image.mode != "F" and not image.mode.startswith("I"):
        return image
    values = np.asarray(image)
    if image.mode != "F":
        return Image.fromarray((values // (_values_of(values) // 256)).astype(np.uint8))
    low, high = values.min(), values.max()
    if not 0 <= low <= high <= 255:
        raise _RefusedError(f"its values are no bytes, they go from {low:g} to {high:g}")
    return Image.fromarray((values * (255 if high <= 1 else 1)).round().astype(np.uint8))


def _values_of(pixels: np.ndarray[Any, Any]) -> int:
    """How many values the whole numbers of an image may have."""
    low, high = int(pixels.min()), int(pixels.max())
    depth = next((each for each in _DEPTHS if low >= 0 and high < each), None)
    if depth is None:
        raise _RefusedError(f"its values do not fit into 16 bits, they go from {low:,} to {high:,}")
    return depth


def bits_of(file: str | Path) -> int | None:
    """As how many bits the whole numbers of a grey image are read; None for other images, and broken ones."""
    try:
        with _opened(file) as stream, Image.open(stream, formats=FORMATS) as image:
            if not image.mode.startswith("I") or image.width * image.height > MOST_PIXELS:
                return None
            return _values_of(np.asarray(image)).bit_length() - 1
    except Exception:  # it is told where the image is needed
        return None
