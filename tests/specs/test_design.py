"""One network written in two ways."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cnngraph
from tests.library import DATA, network

EFFICIENTNET = DATA / "specs" / "efficientnet_b0.yaml"


def operations(path: Path) -> list[tuple[Any, ...]]:
    """The nodes of a network without their lines in the file."""
    return [(node.path, node.operation, node.reads, node.types) for node in cnngraph.load(path).nodes]


def test_efficientnet_with_rows_equals_the_one_with_columns() -> None:
    """The bundled spec is compared with the original in tests/zoo."""
    assert operations(EFFICIENTNET) == operations(network("efficientnet_b0"))
