"""How this process was started: as one of several, and with how many cores to itself. Knows nothing of PyTorch."""

from __future__ import annotations

import math
import os
import time
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

FROM_TORCHRUN = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "MASTER_ADDR", "MASTER_PORT")
THREADS = "OMP_NUM_THREADS"  # a person's choice, or torchrun's
WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")
# GNU's OpenMP, which PyTorch's wheels bring, spins 300,000 times or for some milliseconds before a thread sleeps: on a
# busy machine it keeps a core from the thread that it waits for. On a free one 1,000 turns cost small networks 30 %,
# 10,000 nothing (benchmarks/threads.py).
SPINS, BLOCKTIME = "10000", "1"  # turns of GNU's OpenMP; milliseconds of LLVM's and Intel's
NEARLY_ALL = 0.75  # of the cores: whoever has so many takes all of them
LEAST_MEASURED = 0.3  # seconds over which the use of cores is known well enough
CGROUPS = Path("/sys/fs/cgroup")
PROC = Path("/proc")


def is_launched() -> bool:
    """Whether torchrun, or what sets the same variables, started this process as one of several."""
    return all(os.environ.get(variable) for variable in FROM_TORCHRUN) and os.environ["WORLD_SIZE"] != "1"


def local_rank() -> int:
    """Which of its machine's processes this one is."""
    return int(os.environ["LOCAL_RANK"]) if is_launched() else 0


def prepare_threads() -> None:
    """Let OpenMP's threads sleep soon when they wait for each other, and begin to measure which cores are free.

    OpenMP reads its variables when PyTorch is loaded, so this comes before. What the environment says of them stays.
    """
    _uses[:] = [Use.now()]
    if not any(os.environ.get(variable) for variable in WAITING):
        os.environ["GOMP_SPINCOUNT"], os.environ["KMP_BLOCKTIME"] = SPINS, BLOCKTIME


class Cores(NamedTuple):
    """How many cores this process may use, and how many of them nobody else uses."""

    allowed: int
    free: int


@dataclass(frozen=True, slots=True)
class Use:
    """What was used up to a moment: idle seconds of the allowed cores (None where unknown), and this process's own."""

    moment: float
    idle: float | None
    own: float

    @classmethod
    def now(cls) -> Use:
        """Up to now."""
        times = os.times()
        return cls(time.monotonic(), _idle_seconds(_affinity()), sum(times[:4]))

    def free_since(self, before: Use, allowed: int) -> int:
        """How many of the allowed cores were idle or this process's in between; all where it cannot be known."""
        elapsed = self.moment - before.moment
        if self.idle is None or before.idle is None or elapsed < LEAST_MEASURED:
            return allowed
        free = (self.idle - before.idle + self.own - before.own) / elapsed
        return allowed if free >= NEARLY_ALL * allowed else max(1, min(allowed, round(free)))


_uses: list[Use] = []  # the last one that was measured


def free_cores() -> Cores | None:
    """The cores for this process's threads, or None where OMP_NUM_THREADS is set.

    Free is what was idle, or used by this process, since the process began or this was asked last. That is measured on
    Linux; elsewhere all cores count as free. (The load average would also count what has just ended.)
    """
    if os.environ.get(THREADS):
        return None
    now, allowed = Use.now(), allowed_cores()
    free = now.free_since(_uses[0], allowed) if _uses else allowed
    _uses[:] = [now]
    return Cores(allowed, free)


def allowed_cores() -> int:
    """The cores that the process may run on, by its affinity and by the quota of its control group."""
    return max(1, math.floor(min(len(_affinity()), _quota())))


def _affinity() -> set[int]:
    if hasattr(os, "sched_getaffinity"):
        return os.sched_getaffinity(0)
    return set(range(os.cpu_count() or 1))


def _quota() -> float:
    """The cores' worth of time that the control group may use, of version 2 or 1; infinite where there is no bound."""
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
    """A control group and those around it. In a container the path may be the host's: only the root is here."""
    inner = root / path.strip("/")
    return [inner, *(folder for folder in inner.parents if folder.is_relative_to(root))]


def _ratio(quota: str, period: str) -> float:
    if not quota.isdigit() or not period.isdigit() or not int(period):
        return math.inf  # `max`, -1, or no such file
    return int(quota) / int(period)


def _idle_seconds(cores: set[int]) -> float | None:
    """The seconds that the cores have been idle since the machine began, or None where they are not told."""
    wanted = {f"cpu{core}" for core in cores}
    rows = [line.split() for line in _lines(PROC / "stat")]
    found = [row for row in rows if row and row[0] in wanted and len(row) > 5]
    if len(found) != len(wanted):
        return None
    return sum(int(row[4]) + int(row[5]) for row in found) / os.sysconf("SC_CLK_TCK")


def _first_line(file: Path) -> str:
    return next(iter(_lines(file)), "")


def _lines(file: Path) -> list[str]:
    try:
        return file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return []
