"""Whether this process is one of several that torchrun started."""

from __future__ import annotations

import os

FROM_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")


def is_launched() -> bool:
    """Whether torchrun, or what sets the same variables, started this process as one of several."""
    return all(os.environ.get(each) for each in FROM_TORCHRUN) and os.environ["WORLD_SIZE"] != "1"


def local_rank() -> int:
    """Which of its machine's processes this one is."""
    return int(os.environ["LOCAL_RANK"]) if is_launched() else 0
