"""Training: images and their augmentation, the loop on pytorch-ignite, checkpoints and metrics, progress reports.

Importing this loads PyTorch.
"""

from cnngraph.train.loop.engine import train
from cnngraph.train.loop.handler_view import HandlerView
from cnngraph.train.loop.handlers import Handler, load_handlers
from cnngraph.train.loop.job import Job
from cnngraph.train.record.progress import Reporter, reporter_for
from cnngraph.train.record.records import Result
from cnngraph.train.run import Request, run_training

__all__ = [
    "Handler",
    "HandlerView",
    "Job",
    "Reporter",
    "Request",
    "Result",
    "load_handlers",
    "reporter_for",
    "run_training",
    "train",
]
