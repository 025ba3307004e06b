"""cnngraph: convolutional networks as YAML graphs, checked, compiled into torch.nn modules and trained."""

from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING, Any

from cnngraph.packages import explained
from cnngraph.version import __version__

if TYPE_CHECKING:
    from cnngraph.api.backbone import backbone
    from cnngraph.api.compiling import build, check, load, load_weights
    from cnngraph.api.drawing import measure_times, render
    from cnngraph.api.evaluation_result import ClassMetrics, EvaluationResult
    from cnngraph.api.experiments import experiment
    from cnngraph.api.migrating import MigrationResult, migrate
    from cnngraph.api.progress import (
        EpochDone,
        Evaluating,
        Event,
        InitialWeightsEvaluated,
        Note,
        RunEnded,
        RunStarted,
        StepsDone,
        print_progress,
    )
    from cnngraph.api.results import (
        CheckResult,
        Drawing,
        EpochMetrics,
        ExperimentResult,
        Guess,
        Metrics,
        Prediction,
        TrainResult,
        VariantResult,
    )
    from cnngraph.api.trained import evaluate, features, localize, predict
    from cnngraph.api.training import train
    from cnngraph.diagnostics import Diagnostic, Severity, SpecError
    from cnngraph.graph.graph import Graph
    from cnngraph.graph.node_times import NodeTimes
    from cnngraph.graph.nodes import Node
    from cnngraph.packages import PackageError
    from cnngraph.runs.classifier import Box
    from cnngraph.runs.feature_maps import FeatureMaps
    from cnngraph.runs.localization import Localization
    from cnngraph.runs.wrong_predictions import WrongPrediction

__all__ = [
    "Box",
    "CheckResult",
    "ClassMetrics",
    "Diagnostic",
    "Drawing",
    "EpochDone",
    "EpochMetrics",
    "Evaluating",
    "EvaluationResult",
    "Event",
    "ExperimentResult",
    "FeatureMaps",
    "Graph",
    "Guess",
    "InitialWeightsEvaluated",
    "Localization",
    "Metrics",
    "MigrationResult",
    "Node",
    "NodeTimes",
    "Note",
    "PackageError",
    "Prediction",
    "RunEnded",
    "RunStarted",
    "Severity",
    "SpecError",
    "StepsDone",
    "TrainResult",
    "VariantResult",
    "WrongPrediction",
    "__version__",
    "backbone",
    "build",
    "check",
    "evaluate",
    "experiment",
    "features",
    "load",
    "load_weights",
    "localize",
    "measure_times",
    "migrate",
    "predict",
    "print_progress",
    "render",
    "train",
]

_HOMES = {
    "cnngraph.api.backbone": ("backbone",),
    "cnngraph.api.compiling": ("build", "check", "load", "load_weights"),
    "cnngraph.api.drawing": ("measure_times", "render"),
    "cnngraph.api.evaluation_result": ("ClassMetrics", "EvaluationResult"),
    "cnngraph.api.experiments": ("experiment",),
    "cnngraph.api.migrating": ("MigrationResult", "migrate"),
    "cnngraph.api.progress": (
        "EpochDone",
        "Evaluating",
        "Event",
        "InitialWeightsEvaluated",
        "Note",
        "RunEnded",
        "RunStarted",
        "StepsDone",
        "print_progress",
    ),
    "cnngraph.api.results": (
        "CheckResult",
        "Drawing",
        "EpochMetrics",
        "ExperimentResult",
        "Guess",
        "Metrics",
        "Prediction",
        "TrainResult",
        "VariantResult",
    ),
    "cnngraph.api.trained": ("evaluate", "features", "localize", "predict"),
    "cnngraph.api.training": ("train",),
    "cnngraph.diagnostics": ("Diagnostic", "Severity", "SpecError"),
    "cnngraph.graph.graph": ("Graph",),
    "cnngraph.graph.node_times": ("NodeTimes",),
    "cnngraph.graph.nodes": ("Node",),
    "cnngraph.packages": ("PackageError",),
    "cnngraph.runs.classifier": ("Box",),
    "cnngraph.runs.feature_maps": ("FeatureMaps",),
    "cnngraph.runs.localization": ("Localization",),
    "cnngraph.runs.wrong_predictions": ("WrongPrediction",),
}
_HOME_OF = {name: module for module, names in _HOMES.items() for name in names}


class _Package(ModuleType):
    """The package. Its functions win over rooms of the same name: `train`, `render` and `experiment` are both.

    Python sets a package's attribute when it imports one of its modules; `from cnngraph.train import …` finds the room
    without it.
    """

    def __setattr__(self, name: str, value: Any) -> None:
        if name not in _HOME_OF:
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package


def __getattr__(name: str) -> Any:
    """Import what is asked for when it is asked for, so that the command line starts at once."""
    if name not in _HOME_OF:
        raise AttributeError(f"module 'cnngraph' has no attribute {name!r}")
    with explained():
        return getattr(import_module(_HOME_OF[name]), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
