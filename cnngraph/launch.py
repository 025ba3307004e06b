"""How this process was launched: as one of several or not, and how many cores it can use. Does not import PyTorch."""

from __future__ import annotations

import math
import os
import time
from pathlib import Path
from typing import NamedTuple

from cnngraph.frozen import frozen

FROM_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
THREADS = "OMP_NUM_THREADS"  # set by the user or by torchrun
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
# GNU OpenMP, which PyTorch's wheels include, busy-waits 300,000 iterations or some milliseconds before a thread sleeps.
# On a busy machine this occupies a core that the awaited thread needs. On an idle machine, 1,000 iterations slow small
# networks down by 30 %, and 10,000 do not (benchmarks/threads.py).
SPINS, BLOCKTIME = "10000", "1"  # iterations for GNU OpenMP; milliseconds for LLVM's and Intel's
NEARLY_ALL = 0.75  # if at least this fraction of the cores is free, use all of them
LEAST_MEASURED = 0.3  # seconds over which the use of cores must be measured
CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def is_launched() -> bool:
    """Whether torchrun, or a launcher that sets the same variables, started this process as one of several."""
    return all(os.environ.get(variable) for variable in FROM_TORCHRUN) and os.environ["WORLD_SIZE"] != "1"


def local_rank() -> int:
    """The index of this process among those on its machine."""
    return int(os.environ["LOCAL_RANK"]) if is_launched() else 0


def prepare_threads() -> None:
    """Shorten OpenMP's busy-waiting, and start measuring how many cores are free.

    Must be called before PyTorch is imported, because OpenMP reads its variables then. Variables that are already set
    are not changed.
    """
    _uses[:] = [Use.now()]
    if not any(os.environ.get(variable) for variable in WAITING):
        os.environ["GOMP_SPINCOUNT"], os.environ["KMP_BLOCKTIME"] = SPINS, BLOCKTIME


class Cores(NamedTuple):
    """The number of cores that this process can use, and how many of them are idle."""

    allowed: int
    free: int


@frozen
class Use:
    """CPU use up to a moment: idle seconds of the allowed cores (None if unknown), and CPU seconds of this process."""

    moment: float
    idle: float | None
    own: float

    @classmethod
    def now(cls) -> Use:
        """The use up to now."""
        times = os.times()
        return cls(time.monotonic(), _idle_seconds(_affinity()), sum(times[:4]))

    def free_since(self, before: Use, allowed: int) -> int:
        """How many allowed cores were idle or used by this process in between; all of them if that is unknown."""
        elapsed = self.moment - before.moment
        if self.idle is None or before.idle is None or elapsed < LEAST_MEASURED:
            return allowed
        free = (self.idle - before.idle + self.own - before.own) / elapsed
        return allowed if free >= NEARLY_ALL * allowed else max(1, min(allowed, round(free)))


_uses: list[Use] = []  # contains the last measurement


def free_cores() -> Cores | None:
    """The cores for the threads of this process, or None if OMP_NUM_THREADS is set.

    A core is free if it was idle or used by this process since the previous call, or since the process started. This is
    measured on Linux; elsewhere all cores are assumed to be free. (The load average would include finished processes.)
    """
    if os.environ.get(THREADS):
        return None
    now, allowed = Use.now(), allowed_cores()
    free = now.free_since(_uses[0], allowed) if _uses else allowed
    _uses[:] = [now]
    return Cores(allowed, free)


def allowed_cores() -> int:
    """The number of cores that the process can use, given its affinity and the quota of its control group."""
    return max(1, math.floor(min(len(_affinity()), _quota())))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """The CPU quota of the control group (version 2 or 1) in cores, or infinity if there is none."""
    groups = dict(line.split(":", 2)[1:] for line in _lines(PROC / "self" / "cgroup") if line.count(":") >= 2)
    found = [math.inf]
    for place in _upwards(CGROUPS, groups.get("", "/")):
        quota, _, period = _first_line(place / "cpu.max").partition(" ")
        found.append(_ratio(quota, period))
    name = next((group for group in groups if "cpu" in group.split(",")), "cpu")
    for place in _upwards(CGROUPS / name, groups.get(name, "/")):
        found.append(_ratio(_first_line(place / "cpu.cfs_quota_us"), _first_line(place / "cpu.cfs_period_us")))
    return min(found)


def _upwards(root: Path, path: str) -> list[Path]:
    """A control group and its parents. In a container the path may be that of the host; then only the root exists."""
    inner = root / path.strip("/")
    return [inner, *(folder for folder in inner.parents if folder.is_relative_to(root))]


def _ratio(quota: str, period: str) -> float:
    if not quota.isdigit() or not period.isdigit() or not int(period):
        return math.inf  # `max`, -1, or a missing file
    return int(quota) / int(period)


def _idle_seconds(cores: set[int]) -> float | None:
    """The seconds that the cores have been idle since boot, or None if they are not reported."""
    names = {f"cpu{core}" for core in cores}
    rows = [line.split() for line in _lines(PROC / "stat")]
    found = [row for row in rows if row and row[0] in names and len(row) > 5]
    if len(found) != len(names):
        return None
    return sum(int(row[4]) + int(row[5]) for row in found) / os.sysconf("SC_CLK_TCK")


def _first_line(file: Path) -> str:
    return next(iter(_lines(file)), "")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
