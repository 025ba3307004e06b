"""cnngraph: convolutional networks as YAML graphs, checked, compiled into torch.nn modules and trained."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from cnngraph.packages import explained
from cnngraph.version import __version__

if TYPE_CHECKING:
    from cnngraph.api import build, check, load, load_weights
    from cnngraph.diagnostics import Diagnostic, Severity, SpecError
    from cnngraph.graph.graph import Graph
    from cnngraph.graph.nodes import Node

__all__ = [
    "Diagnostic",
    "Graph",
    "Node",
    "Severity",
    "SpecError",
    "__version__",
    "build",
    "check",
    "load",
    "load_weights",
]

_HOMES = {
    "build": "cnngraph.api",
    "check": "cnngraph.api",
    "load": "cnngraph.api",
    "load_weights": "cnngraph.api",
    "Diagnostic": "cnngraph.diagnostics",
    "Severity": "cnngraph.diagnostics",
    "SpecError": "cnngraph.diagnostics",
    "Graph": "cnngraph.graph.graph",
    "Node": "cnngraph.graph.nodes",
}


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that the command line starts at once."""
    if name not in _HOMES:
        raise AttributeError(f"module 'cnngraph' has no attribute {name!r}")
    with explained():
        return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
