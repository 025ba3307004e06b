"""Training: a recipe's images, the loop on pytorch-ignite, checkpoints and what a person sees of them.

Importing this loads PyTorch.
"""

from cnngraph.train.loop.engine import train
from cnngraph.train.loop.handler_view import Training
from cnngraph.train.loop.handlers import Handler, load_handlers
from cnngraph.train.loop.job import Job
from cnngraph.train.record.progress import Reporter, reporter_for
from cnngraph.train.record.records import Result
from cnngraph.train.run import Request, run_training

__all__ = [
    "Handler",
    "Job",
    "Reporter",
    "Request",
    "Result",
    "Training",
    "load_handlers",
    "reporter_for",
    "run_training",
    "train",
]
