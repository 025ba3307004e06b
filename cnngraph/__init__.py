"""cnngraph: convolutional networks as YAML graphs, checked, compiled into torch.nn modules and trained."""

from cnngraph.api import build, check, load
from cnngraph.diagnostics import Diagnostic, Severity, SpecError
from cnngraph.ir.graph import Graph, Node

__all__ = ["Diagnostic", "Graph", "Node", "Severity", "SpecError", "build", "check", "load"]
__version__ = "0.1.0"
