"""Settings for every test."""

from __future__ import annotations

import os

# Tests run side by side, a process a core: more threads than that only get in each other's way.
os.environ.setdefault("OMP_NUM_THREADS", "1")
