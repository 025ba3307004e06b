"""The seeds of random specs, in chunks, and a summary at the end of the run."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from tests.fuzz.cases import CHUNK


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Print the counts of all chunks together."""
    counts: Counter[str] = Counter()
    for reports in terminalreporter.stats.values():
        for report in reports:
            for name, value in getattr(report, "user_properties", ()):
                if name == "fuzz" and getattr(report, "when", "") == "call":
                    counts.update(value)
    if counts["accepted"] + counts["refused"] > 1000:
        terminalreporter.write_line(f"{counts['accepted'] + counts['refused']:,} specs: {dict(counts.most_common())}")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "seeds" in metafunc.fixturenames:
        first = metafunc.config.getoption("--fuzz-seed")
        count = metafunc.config.getoption("--fuzz-specs")
        chunks = [range(start, min(start + CHUNK, first + count)) for start in range(first, first + count, CHUNK)]
        metafunc.parametrize("seeds", chunks, ids=[f"{chunk.start}-{chunk.stop - 1}" for chunk in chunks])
