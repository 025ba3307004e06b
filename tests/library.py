"""Where the specs of the repository are, for tests that go through them."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parent.parent
LIBRARY = ROOT / "specs"
DATA = ROOT / "tests" / "data"

NOT_SPECS = {"blocks", "recipes", "experiments"}
NETWORKS = sorted(
    path
    for path in LIBRARY.rglob("*.yaml")
    if path.stem not in NOT_SPECS and NOT_SPECS.isdisjoint(path.relative_to(LIBRARY).parts)
)
BLOCKS = sorted([*LIBRARY.glob("blocks/*.yaml"), *LIBRARY.rglob("blocks.yaml")])


def network(name: str) -> Path:
    """The spec of that name, wherever in the library it stands."""
    (path,) = (each for each in NETWORKS if each.stem == name)
    return path
