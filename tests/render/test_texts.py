"""DOT and Mermaid drawings, compared with golden files."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.render.networks import DENSE, INCEPTION, PARTS, RESIDUAL, SKIPS, dot_of, graph_of, mermaid_of

DRAWINGS: dict[str, tuple[str, dict[str, Any]]] = {
    "inception": (INCEPTION, {}),
    "residual": (RESIDUAL, {}),
    "residual_2": (RESIDUAL, {"depth": 2}),
    "residual_1": (RESIDUAL, {"depth": 1}),
    "dense": (DENSE, {"fold": False}),
    "dense_folded": (DENSE, {"fold": True}),
    "parts": (PARTS, {"fold": False}),
    "parts_folded": (PARTS, {"depth": 9, "direction": "right"}),
    "skips": (SKIPS, {"fold": False}),
    "skips_2": (SKIPS, {"depth": 2}),
    "skips_1": (SKIPS, {"depth": 1}),
}


@pytest.mark.parametrize("name", DRAWINGS)
def test_dot(name: str, golden: Callable[[str, str], None]) -> None:
    text, options = DRAWINGS[name]
    golden(f"render/{name}.dot", dot_of(graph_of(text), **options))


@pytest.mark.parametrize("name", DRAWINGS)
def test_mermaid(name: str, golden: Callable[[str, str], None]) -> None:
    text, options = DRAWINGS[name]
    golden(f"render/{name}.mmd", mermaid_of(graph_of(text), **options))


def test_drawings_are_deterministic() -> None:
    assert dot_of(graph_of(PARTS)) == dot_of(graph_of(PARTS))
