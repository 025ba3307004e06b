"""cnngraph: convolutional networks as YAML graphs, checked, compiled into torch.nn modules and trained."""

from cnngraph.api import build, check, load
from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.ir.graph import Graph, Node
from cnngraph.version import __version__

__all__ = ["Diagnostic", "Graph", "Node", "Severity", "SpecError", "__version__", "build", "check", "load"]
