"""Human-readable counts, sizes and other numbers."""

from __future__ import annotations

from collections.abc import Sequence


def show_count(count: int) -> str:
    """A count with three significant digits and a unit: `930`, `37.1 k`, `6.02 M`."""
    for unit, size in (("G", 10**9), ("M", 10**6), ("k", 10**3)):
        if count >= 0.9995 * size:
            digits = 2 if count < 9.995 * size else 1 if count < 99.95 * size else 0
            return f"{count / size:,.{digits}f} {unit}"
    return str(count)


def show_seconds(seconds: float) -> str:
    """A short time with three significant digits: `1.25 s`, `23.4 ms`, `870 µs`."""
    for unit, size in (("s", 1.0), ("ms", 1e-3)):
        if seconds >= 0.9995 * size:
            digits = 2 if seconds < 9.995 * size else 1 if seconds < 99.95 * size else 0
            return f"{seconds / size:,.{digits}f} {unit}"
    return f"{seconds * 1e6:.3g} µs" if seconds < 99.95e-6 else f"{seconds * 1e6:.0f} µs"


def show_sizes(shape: Sequence[int]) -> str:
    """A shape: `64×56×56`, or `1` for a single number."""
    return "×".join(map(str, shape)) or "1"


def percent(number: float) -> str:
    """A percentage with all its digits: `30.242 %`."""
    return f"{number:.12g} %"


def loss(number: float) -> str:
    """A loss: `0.4249`, or `1.2e+16` if it has diverged."""
    return f"{number:.4f}" if number < 10_000 else f"{number:.3g}"
