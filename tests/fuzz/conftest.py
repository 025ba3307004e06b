"""A summary of the random specs at the end of the run."""

from __future__ import annotations

from collections import Counter
from typing import Any


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
