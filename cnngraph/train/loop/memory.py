"""glibc's allocator settings: memory that one step frees is kept for the next."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h. Blocks up to the mmap threshold come from the heap, which is never trimmed.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_THRESHOLD = 32 * 2**20  # bytes; the largest that glibc accepts
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Keep freed memory in the process until it exits. Does nothing without glibc.

    By default glibc returns large blocks to the system when they are freed, so every tensor of every step is mapped
    and zeroed again, page by page.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, NEVER)
