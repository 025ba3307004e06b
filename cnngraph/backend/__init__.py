"""PyTorch's door: graphs become modules or printed source, and weights go in and out."""

from cnngraph.backend.lowering import lower
from cnngraph.backend.source import model_source
from cnngraph.backend.weights import Misshapen, WeightsReport, load_weights, save_weights

__all__ = ["Misshapen", "WeightsReport", "load_weights", "lower", "model_source", "save_weights"]
