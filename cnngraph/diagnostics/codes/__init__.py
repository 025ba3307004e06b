"""The table of codes: what each one means, with a wrong and a right example. The lint rules have their own.

`cnngraph.lint.codes` has both. Nothing but explain, the docs and the tests loads it.
"""

from __future__ import annotations

from cnngraph.diagnostics.codes.data import DATA
from cnngraph.diagnostics.codes.entry import Code, Example, Group, code, spec
from cnngraph.diagnostics.codes.expressions import BOUNDS, EXPRESSIONS
from cnngraph.diagnostics.codes.files import FILES
from cnngraph.diagnostics.codes.fit import FIT
from cnngraph.diagnostics.codes.nodes import NODES
from cnngraph.diagnostics.codes.reading import READING
from cnngraph.diagnostics.codes.recipes import RECIPES
from cnngraph.diagnostics.codes.runs import EXPERIMENTS, RUNS
from cnngraph.diagnostics.codes.shapes import SHAPES
from cnngraph.diagnostics.codes.training import TRAINING
from cnngraph.diagnostics.codes.weights import WEIGHTS

__all__ = ["GROUPS", "Code", "Example", "Group", "code", "spec"]

GROUPS = (
    READING,
    SHAPES,
    NODES,
    FILES,
    EXPRESSIONS,
    BOUNDS,
    RECIPES,
    FIT,
    DATA,
    TRAINING,
    RUNS,
    EXPERIMENTS,
    WEIGHTS,
)
