"""PyTorch's door: graphs become modules or printed source, and weights go in and out."""

from cnngraph.backend.fit import Misshapen, WeightsReport, check_weights, refuse_misfit
from cnngraph.backend.lowering import lower
from cnngraph.backend.published import open_weights, published_weights
from cnngraph.backend.source import model_source
from cnngraph.backend.weights import convert_weights, load_weights, save_weights
from cnngraph.backend.weights_file import WeightsFile

__all__ = [
    "Misshapen",
    "WeightsFile",
    "WeightsReport",
    "check_weights",
    "convert_weights",
    "load_weights",
    "lower",
    "model_source",
    "open_weights",
    "published_weights",
    "refuse_misfit",
    "save_weights",
]
