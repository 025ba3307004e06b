"""The number of cores that a process can use, and the wait policy of OpenMP threads."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnngraph import launch
from cnngraph.launch import Cores, Use, allowed_cores, free_cores, prepare_threads

WAITING = ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A fake machine with eight cores, whose system files are in a folder."""
    monkeypatch.setattr(launch, "PROC", tmp_path / "proc")
    monkeypatch.setattr(launch, "CGROUPS", tmp_path / "groups")
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: set(range(8)), raising=False)
    return tmp_path


def write(file: Path, text: str) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_all_cores_are_allowed_without_a_quota(machine: Path) -> None:
    assert allowed_cores() == 8


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({"self": "0::/a/b", "a/b/cpu.max": "250000 100000"}, 2),
        ({"self": "0::/a/b", "a/b/cpu.max": "max 100000", "a/cpu.max": "300000 100000"}, 3),
        ({"self": "0::/of/the/host", "cpu.max": "400000 100000"}, 4),
        ({"self": "0::/", "cpu.max": "50000 100000"}, 1),
        ({"self": "0::/", "cpu.max": "1600000 100000"}, 8),
        ({"self": "0::/", "cpu.max": "what is this"}, 8),
        ({"self": "", "cpu.max": "max"}, 8),
        ({"self": "4:cpu,cpuacct:/x", "cpu,cpuacct/x/cpu.cfs_quota_us": "500000\n",
          "cpu,cpuacct/x/cpu.cfs_period_us": "100000\n"}, 5),
        ({"self": "1:cpu:/", "cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"}, 8),
    ],
)  # fmt: skip
def test_the_quota_of_a_control_group(machine: Path, files: dict[str, str], cores: int) -> None:
    for name, text in files.items():
        write(machine / ("proc/self/cgroup" if name == "self" else f"groups/{name}"), text)
    assert allowed_cores() == cores


@pytest.mark.parametrize(
    ("idle", "used", "free"),
    [
        (70.0, 10.0, 8),  # within 10 seconds on 8 cores, only this process used CPU time
        (50.0, 10.0, 8),  # two cores are busy
        (40.0, 10.0, 5),
        (0.0, 10.0, 1),
        (0.0, 3.0, 1),
        (None, 10.0, 8),
    ],
)
def test_cores_used_by_others_are_not_free(idle: float | None, used: float, free: int) -> None:
    before = Use(100.0, None if idle is None else 0.0, 0.0)
    assert Use(110.0, idle, used).free_since(before, 8) == free


def test_short_measurements_are_ignored() -> None:
    assert Use(0.1, 0.0, 0.0).free_since(Use(0.0, 0.0, 0.0), 8) == 8


def test_idle_time_counts_the_allowed_cores(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    ticks = os.sysconf("SC_CLK_TCK")
    rows = [f"cpu{core} 1 2 3 {10 * ticks * core} {ticks} 0 0" for core in range(8)]
    write(machine / "proc" / "stat", "\n".join(["cpu  9 9 9 9 9 9 9", *rows, "intr 5"]))
    assert Use.now().idle == 288
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 7}, raising=False)
    assert Use.now().idle == 82
    monkeypatch.setattr(os, "sched_getaffinity", lambda process: {1, 9}, raising=False)
    assert Use.now().idle is None


def test_environment_variable_wins(machine: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OMP_NUM_THREADS", "3")
    assert free_cores() is None
    monkeypatch.delenv("OMP_NUM_THREADS")
    assert free_cores() == Cores(8, 8)  # idle times are not available on this machine


@pytest.mark.parametrize("variable", WAITING)
def test_openmp_variables_are_not_overwritten(monkeypatch: pytest.MonkeyPatch, variable: str) -> None:
    for name in WAITING:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv(variable, "7")
    prepare_threads()
    assert {name: os.environ.get(name) for name in WAITING} == dict.fromkeys(WAITING) | {variable: "7"}


def test_busy_waiting_is_shortened(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in WAITING:
        monkeypatch.setenv(name, "")
    prepare_threads()
    assert int(os.environ["GOMP_SPINCOUNT"]) < 300_000
    assert os.environ["KMP_BLOCKTIME"] == "1"
