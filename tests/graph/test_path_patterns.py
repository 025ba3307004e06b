"""Path patterns with stars: what they match, and that matching takes no exponential time."""

from __future__ import annotations

import time

import pytest

from cnngraph.graph.path_patterns import InitRule

SECONDS = 2


@pytest.mark.parametrize("match", ["*a" * 12 + "b", "**a" * 12 + "b", "*" * 200 + "b", "**.*a*.**.*a*.**b"])
def test_matching_many_stars_is_fast(match: str) -> None:
    path = ".".join(["a" * 60] * 8)
    start = time.process_time()
    for _ in range(20):
        assert not InitRule(match, {}).fits("relu", path)
    assert time.process_time() - start < SECONDS


@pytest.mark.parametrize(
    ("match", "path", "fits"),
    [
        ("layer*.*.bn3", "layer1.0.bn3", True),
        ("layer*.*.bn3", "layer1.0.1.bn3", False),
        ("layer*.bn3", "layer1.0.bn3", False),
        ("**.bn3", "layer1.0.bn3", True),
        ("**.bn3", "bn3", False),
        ("**bn3", "bn3", True),
        ("layer1.**", "layer1.0.bn3", True),
        ("*a*b*", "xaybz", True),
        ("*a*b*", "xa.ybz", False),
        ("**a*b*", "a.xaybz", True),
        ("**a*b**c", "a.b.ab.c.c", True),
        ("*", "relu", True),
        ("*", "a.b", False),
        ("a.b", "a.b", True),
        ("a.b", "axb", False),
    ],
)
def test_what_stars_match(match: str, path: str, fits: bool) -> None:
    assert InitRule(match, {}).fits("conv", path) is fits
