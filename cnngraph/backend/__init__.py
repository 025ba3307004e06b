"""The PyTorch backend: builds modules or prints source from graphs, and loads and saves weights."""

from cnngraph.backend.modules.build import lower
from cnngraph.backend.source.print import model_source
from cnngraph.backend.weights.files import Choices, WeightsFile
from cnngraph.backend.weights.load import convert_weights, load_weights, save_weights
from cnngraph.backend.weights.migrate import MigratedWeights, Migration, migrate
from cnngraph.backend.weights.networks import check_initial, initial_weights
from cnngraph.backend.weights.published import open_weights, published_weights
from cnngraph.backend.weights.report import Fresh, Misshapen, WeightsReport, check_weights, refuse_misfit

__all__ = [
    "Choices",
    "Fresh",
    "MigratedWeights",
    "Migration",
    "Misshapen",
    "WeightsFile",
    "WeightsReport",
    "check_initial",
    "check_weights",
    "convert_weights",
    "initial_weights",
    "load_weights",
    "lower",
    "migrate",
    "model_source",
    "open_weights",
    "published_weights",
    "refuse_misfit",
    "save_weights",
]
