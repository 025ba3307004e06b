"""The allocator of glibc, told to keep what a step frees: the next step asks for the same again."""

from __future__ import annotations

import ctypes
import sys

# From glibc's malloc.h. Blocks up to the largest threshold that glibc takes come from a heap that is not given back.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
LARGEST_THRESHOLD = 32 * 2**20  # bytes
NEVER = 2**31 - 1


def keep_freed_memory() -> None:
    """Let the process keep the memory that it frees, until it ends.

    By default glibc gives large blocks back to the system as soon as they are freed, and every tensor of every step is
    then mapped and zeroed anew, page by page. Elsewhere than on glibc this does nothing.
    """
    if sys.platform != "linux":
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt:
        mallopt(M_MMAP_THRESHOLD, LARGEST_THRESHOLD)
        mallopt(M_TRIM_THRESHOLD, NEVER)
