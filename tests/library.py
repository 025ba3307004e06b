"""Where the specs of the repository are, for tests that go through them."""

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
LARGE = 2_000_000_000  # multiply-accumulates
BLOCKS = sorted([*LIBRARY.glob("blocks/*.yaml"), *LIBRARY.rglob("blocks.yaml")])


def _chosen() -> Iterator[Network]:
    """Of each family the smallest member, and the next one where it is not large; all that stand alone."""
    for family, members in groupby(
        sorted(catalogue(), key=lambda network: network.family), lambda network: network.family
    ):
        first, *others = sorted(members, key=lambda network: network.macs)
        yield first
        yield from (member for member in others[: None if not family else 1] if member.macs < LARGE)


CHOSEN = [LIBRARY / member.file for member in _chosen()]


def networks() -> list[Any]:
    """Parameters for a test of networks: the ordinary suite runs those chosen, `pytest -m zoo` all others."""
    return [pytest.param(path, id=path.stem, marks=() if path in CHOSEN else pytest.mark.zoo) for path in NETWORKS]


def network(name: str) -> Path:
    """The spec of that name, wherever in the library it stands."""
    return network_files(LIBRARY)[name]
