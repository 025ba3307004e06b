"""Small images for the examples of codes that concern images."""

from __future__ import annotations

import struct
import zlib
from random import Random

SIDE = 8


def picture(seed: int, *, flat: bool = False) -> bytes:
    """A grey PNG of 8×8 random pixels; `flat`: the same value everywhere."""
    random = Random(seed)
    pixels = [[128 if flat else random.randrange(256) for _ in range(SIDE)] for _ in range(SIDE)]
    rows = b"".join(b"\0" + bytes(row) for row in pixels)
    header = struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", header) + _chunk(b"IDAT", zlib.compress(rows)) + _chunk(b"IEND", b"")


def pictures(folder: str, count: int, *classes: str, first: int = 0, flat: bool = False) -> dict[str, bytes]:
    """So many images in the folder of each class, by their paths; no two have the same content."""
    return {
        f"{folder}/{name}/{number}.png": picture(first + 100 * label + number, flat=flat)
        for label, name in enumerate(classes)
        for number in range(count)
    }


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
