"""The JSON documents of a run's folder: the one way in which they are read."""

from cnngraph.stored.documents import (
    VERSION,
    check_plain,
    check_version,
    damaged,
    images_digest,
    is_regular_file,
    newer,
    read_document,
)

__all__ = [
    "VERSION",
    "check_plain",
    "check_version",
    "damaged",
    "images_digest",
    "is_regular_file",
    "newer",
    "read_document",
]
