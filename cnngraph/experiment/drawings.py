"""Drawings of the networks that an experiment compares."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from cnngraph.diagnostics import SpecError
from cnngraph.experiment_plan.plan import Plan
from cnngraph.graph.graph import Graph
from cnngraph.packages import PackageError
from cnngraph.render import Settings, draw

MOST = 12  # networks that are drawn


class NetworkDrawing(NamedTuple):
    """The drawing of a network as SVG, for light and dark pages, and the variants that it belongs to."""

    variants: tuple[str, ...]
    svg: str
    dark: str


def drawings(plan: Plan) -> list[NetworkDrawing]:
    """A drawing of each network, at most `MOST`. Those that cannot be drawn are left out: the report is still useful.

    Variants that differ only in their recipe have the same network, and so one drawing.
    """
    return list(_drawings(plan))


def _drawings(plan: Plan) -> Iterator[NetworkDrawing]:
    first = {trial.variant: trial.graph for trial in reversed(plan.trials)}
    networks: list[tuple[list[object], Graph, list[str]]] = []
    for variant in plan.variants:
        content: list[object] = [(node.path, node.operation, node.reads) for node in first[variant].nodes]
        same = next((names for other, _, names in networks if other == content), None)
        if same is not None:
            same.append(variant)
        elif len(networks) < MOST:
            networks.append((content, first[variant], [variant]))
    for _, graph, variants in networks:
        try:
            light, dark = (draw(graph, "svg", Settings(page="column", theme=theme)) for theme in ("light", "dark"))
            yield NetworkDrawing(tuple(variants), light.decode(), dark.decode())
        except (SpecError, PackageError):
            continue
