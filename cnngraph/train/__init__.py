"""Training: a recipe's images, the loop on pytorch-ignite, checkpoints and what a person sees of them.

Importing this loads PyTorch.
"""

from cnngraph.train.loop.engine import train
from cnngraph.train.record.progress import Reporter
from cnngraph.train.record.records import Result
from cnngraph.train.run import run_training

__all__ = ["Reporter", "Result", "run_training", "train"]
