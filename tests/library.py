"""Paths of the bundled specs, for tests that are parametrised over networks."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import pytest

from cnngraph.library import Network, catalogue, network_files

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "specs"
DATA = ROOT / "tests" / "data"

NETWORKS = sorted(network_files(LIBRARY).values())
LARGE_MACS = 2_000_000_000  # multiply-accumulates
BLOCKS = sorted([*LIBRARY.glob("blocks/*.yaml"), *LIBRARY.rglob("blocks.yaml")])


def _chosen() -> Iterator[Network]:
    """The smallest network of each family and the next one unless it is large; every network without a family."""
    for family, members in groupby(
        sorted(catalogue(), key=lambda network: network.family), lambda network: network.family
    ):
        first, *others = sorted(members, key=lambda network: network.macs)
        yield first
        yield from (member for member in others[: None if not family else 1] if member.macs < LARGE_MACS)


CHOSEN = [LIBRARY / member.file for member in _chosen()]


def networks() -> list[Any]:
    """Test parameters: the default suite runs the chosen networks, `pytest -m zoo` all others."""
    return [pytest.param(path, id=path.stem, marks=() if path in CHOSEN else pytest.mark.zoo) for path in NETWORKS]


def network(name: str) -> Path:
    """The path of the spec with that name."""
    return network_files(LIBRARY)[name]
