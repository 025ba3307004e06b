"""Checksums in safetensors files: a SHA-256 of the content in the metadata of the file's header.

Such a file is an ordinary safetensors file. The checksum covers the header without the checksum itself, and the data.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import IO, Any

KEY = "sha256"
LENGTH = 8  # bytes at the start of a safetensors file that hold the length of its header
MAX_HEADER = 100_000_000  # bytes, the limit of safetensors itself
CHUNK = 2**20


def with_checksum(file: bytes) -> tuple[bytes, memoryview]:
    """The header with a checksum, and the data, of a safetensors file."""
    stop = LENGTH + int.from_bytes(file[:LENGTH], "little")
    header, data = json.loads(file[LENGTH:stop]), memoryview(file)[stop:]
    digest = _digest_of(header)
    digest.update(data)
    header["__metadata__"] = {**header.get("__metadata__", {}), KEY: digest.hexdigest()}
    text = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode()
    text += b" " * (-len(text) % LENGTH)  # the data must be aligned
    return len(text).to_bytes(LENGTH, "little") + text, data


def checksum_fits(path: Path) -> bool | None:
    """Whether the checksum of a safetensors file matches its content; None if it has no checksum.

    Raises OSError, and ValueError if the header is invalid.
    """
    with path.open("rb") as file:
        header = _header(file)
        metadata = header.get("__metadata__")
        expected = metadata.pop(KEY, None) if isinstance(metadata, dict) else None
        if expected is None:
            return None
        digest = _digest_of(header)
        while chunk := file.read(CHUNK):
            digest.update(chunk)
    return bool(digest.hexdigest() == expected)


def _header(file: IO[bytes]) -> dict[str, Any]:
    size = int.from_bytes(file.read(LENGTH), "little")
    if size > MAX_HEADER:
        raise ValueError("its header is too large")
    try:
        header = json.loads(file.read(size))
        json.dumps(header)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"its header is not valid JSON: {error}") from None
    if not isinstance(header, dict):
        raise ValueError("its header is not a mapping")
    return header


def _digest_of(header: dict[str, Any]) -> Any:
    """A hash of the content of the header that does not depend on the order of its keys."""
    text = json.dumps(header, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode())
