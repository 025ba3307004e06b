"""Startup cost: CPU seconds and memory of small commands, compared with Python and its standard modules.

The programs alternate, each in its own process, so that other load slows down all of them. CPU seconds are the median
and the minimum of all runs; memory is the largest resident set of any run. The ratio is relative to the second line,
which imports what almost any program that reads YAML needs. The minimum is more stable on a busy machine.

    python -m benchmarks.startup             # half a minute
    python -m benchmarks.startup --runs 40
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).parents[1]
BASE = "import yaml, dataclasses, typing, re"
PROGRAMS: Mapping[str, list[str]] = {
    "python -c pass": ["-c", "pass"],
    f'python -c "{BASE}"': ["-c", BASE],
    "cnngraph --help": ["-m", "cnngraph", "--help"],
    "cnngraph check specs/googlenet_mnist.yaml": ["-m", "cnngraph", "check", "specs/googlenet_mnist.yaml"],
    "cnngraph check resnet50": ["-m", "cnngraph", "check", "resnet50"],
    "cnngraph show googlenet_mnist": ["-m", "cnngraph", "show", "googlenet_mnist"],
    "cnngraph list": ["-m", "cnngraph", "list"],
}


class Cost(NamedTuple):
    """The cost of a process: CPU seconds, and the largest resident set in MB (10⁶ bytes)."""

    seconds: float
    megabytes: float


def main() -> None:
    """Print a line for each program."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=15, help="runs per program")
    options = parser.parse_args()
    os.chdir(ROOT)
    costs: dict[str, list[Cost]] = {name: [] for name in PROGRAMS}
    for turn in range(options.runs + 1):
        for name, arguments in PROGRAMS.items():
            cost = measured(arguments)
            if turn:  # the first turn warms up the caches
                costs[name].append(cost)
    base = median(costs[f'python -c "{BASE}"'])
    print(f"{'program':46} {'CPU s':>6} {'min':>6} {'ratio':>6} {'MB':>5}")
    for name, results in costs.items():
        seconds, least = median(results), min(cost.seconds for cost in results)
        megabytes = max(cost.megabytes for cost in results)
        print(f"{name:46} {seconds:6.3f} {least:6.3f} {seconds / base:6.1f} {megabytes:5.1f}")


def median(costs: list[Cost]) -> float:
    """The median of the CPU seconds."""
    return statistics.median(cost.seconds for cost in costs)


def measured(arguments: list[str]) -> Cost:
    """Run Python with the arguments, without output. Raises RuntimeError if it fails."""
    null = os.open(os.devnull, os.O_WRONLY)
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "COLUMNS": "80"}
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package has bytecode
    child = os.posix_spawn(
        sys.executable, [sys.executable, *arguments], environment, file_actions=[(os.POSIX_SPAWN_DUP2, null, 1)]
    )
    _, status, used = os.wait4(child, 0)
    os.close(null)
    if status:
        raise RuntimeError(f"python {' '.join(arguments)} failed")
    return Cost(used.ru_utime + used.ru_stime, used.ru_maxrss * 1024 / 1e6)


if __name__ == "__main__":
    main()
