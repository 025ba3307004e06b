"""Where the specs of the repository are, for tests that go through them."""

from __future__ import annotations

from pathlib import Path

from cnngraph.library import network_files

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "specs"
DATA = ROOT / "tests" / "data"

NETWORKS = sorted(network_files(LIBRARY).values())
BLOCKS = sorted([*LIBRARY.glob("blocks/*.yaml"), *LIBRARY.rglob("blocks.yaml")])


def network(name: str) -> Path:
    """The spec of that name, wherever in the library it stands."""
    return network_files(LIBRARY)[name]
