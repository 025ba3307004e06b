"""Training: a recipe's images, the loop on pytorch-ignite, checkpoints and what a person sees of them.

Importing this loads PyTorch.
"""

from cnngraph.train.engine import train
from cnngraph.train.progress import Reporter
from cnngraph.train.records import Result
from cnngraph.train.run import run_training

__all__ = ["Reporter", "Result", "run_training", "train"]
