"""A training recipe: frozen dataclasses whose fields are the keys of the YAML file."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cnngraph.diagnostics import Span
from cnngraph.fields import Bool, Choice, Either, Float, Int, ListOf, Optional, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.data import DATA, MAX_CLASSES, Data, Normalize
from cnngraph.recipe.kinds import MAX_COUNT, ByName, Fraction, Named, OrNone, Positive, Record, ZeroOr
from cnngraph.recipe.optimizers import OPTIMIZERS, Optimizer
from cnngraph.recipe.schedules import SCHEDULES, Constant, Schedule, Warmup
from cnngraph.recipe.sets import MEAN_AND_STD

WEIGHT = ZeroOr(Positive(1e-6, 1e6))  # of a class or an output in the loss
COUNT = Int(1, MAX_COUNT)
MAX_WORKERS = 512
USUAL_MARGIN = 256 / 224  # ratio of the shorter side to the size of the crop


class Loss(Frozen):
    """Cross-entropy of the logits and of auxiliary heads.

    The loss in a run's metrics is always the plain cross-entropy of the logits, whatever these options are.
    """

    label_smoothing: float = field(Float(0, 1), "fraction of each label that is spread evenly over all classes", 0.0)
    class_weights: str | tuple[float, ...] | None = field(
        Optional(Either((Choice(("balanced",)), ListOf(WEIGHT, 2, MAX_CLASSES)))),
        "weight of each class (0: ignored); balanced: inversely proportional to its number of training images",
        None,
    )
    auxiliary: float | Mapping[str, float] = field(
        Either((WEIGHT, ByName(WEIGHT))),
        "loss weight of each output after the first, or a mapping from output names to loss weights",
        0.3,
    )


class Recipe(Frozen):
    """How a network is trained.

    `name` is the recipe's name in messages; `places` are the spans of its values by dotted key (`optimizer.lr`), if it
    was read from a file. With `validation`, a fraction of the training images is held out: the best epoch is chosen on
    it, and the test images are evaluated once, at the end. Without it, the test images are evaluated after every epoch,
    no epoch is chosen, and the last weights are kept.
    """

    about: str = field(Text(), "description", "")
    data: Data = field(Named(DATA), "the images")
    epochs: int = field(COUNT, "number of passes over the training images")
    batch_size: int = field(COUNT, "images per batch", 64)
    optimizer: Optimizer = field(Named(OPTIMIZERS), "the optimizer")
    schedule: Schedule = field(Named(SCHEDULES), "the learning-rate schedule", Constant())
    warmup: Warmup | None = field(OrNone(Record(Warmup)), "a smaller learning rate at the beginning", None)
    accumulate: int = field(
        COUNT, "number of batches whose gradients are accumulated for each step; batch norm sees one batch at a time", 1
    )
    clip: Clip | None = field(OrNone(Record(Clip)), "gradient clipping", None)
    ema: float | None = field(
        OrNone(Fraction()),
        "decay of the exponential moving average of the weights, such as 0.999; the average is evaluated and saved",
        None,
    )
    early_stopping: int | None = field(OrNone(COUNT), "stop after this many epochs without a new best epoch", None)
    validation: float | None = field(
        OrNone(Fraction()), "fraction of the training images held out to choose the best epoch", 0.1
    )
    normalize: str | Normalize | None = field(
        OrNone(Either((Choice(("data", *MEAN_AND_STD)), Record(Normalize)))),
        "mean and standard deviation: `data` for those of this data set, the name of another one, or numbers",
        "data",
    )
    augment: Augment = field(Record(Augment), "random transformations of training images", Augment())
    evaluation: Evaluation | None = field(
        Optional(Record(Evaluation, "crop")), "how images are cropped for evaluation", None
    )
    loss: Loss = field(Record(Loss), "the loss to minimise", Loss())
    precision: str = field(
        Choice(("fp32", "bf16", "fp16"), {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "half": "fp16"}),
        "number format for computation; bf16 is faster on hardware that supports it, and less precise; fp16 is for "
        "GPUs without bf16 and uses loss scaling",
        "fp32",
    )
    strategy: str = field(
        Choice(("ddp", "fsdp")),
        "what is distributed over several processes (torchrun); `ddp`: the images of each batch; `fsdp`: also the "
        "weights of each block, for networks that do not fit into the memory of one GPU",
        "ddp",
    )
    compile: bool = field(
        Bool(), "use torch.compile: slow to start, then faster; needs a C++ compiler, or Triton", False
    )
    checkpoint: str | tuple[str, ...] | None = field(
        OrNone(Either((Text(), ListOf(Text(), 1, 100)))),
        "paths of blocks whose activations are recomputed in the backward pass instead of stored (less memory, same "
        "results); * and ** work as in `groups`",
        None,
    )
    deterministic: bool = field(
        Bool(),
        "on CUDA, use deterministic algorithms where PyTorch has them; false: use the fastest ones (CPU runs are "
        "always deterministic)",
        True,
    )
    save_every: float | None = field(
        OrNone(Positive(1e-9, 1e9)),
        "seconds between checkpoints within an epoch; none: save only at the end of each epoch",
        300.0,
    )
    keep_every: int | None = field(OrNone(COUNT), "also keep the weights of every n-th epoch", None)
    workers: int | None = field(
        Optional(Int(0, MAX_WORKERS)),
        "number of processes that decode images if they do not all fit into memory; by default one per core, up to 16",
        None,
    )
    seed: int = field(Int(0), "seed for the initial weights, the image order and the augmentation", 0)
    device: str = field(
        Choice(("auto", "cpu", "cuda"), {"gpu": "cuda"}), "device; auto: CUDA if it is available", "auto"
    )
    name: str = dataclasses.field(default="recipe", kw_only=True, compare=False)
    places: Mapping[str, Span] = dataclasses.field(default_factory=dict, kw_only=True, compare=False, repr=False)

    @property
    def effective_evaluation(self) -> Evaluation | None:
        """How images are cropped for evaluation, by default derived from `augment`; None if they are not cropped."""
        augment = self.augment
        if self.evaluation or not (augment.random_resized_crop or augment.crop):
            return self.evaluation
        if augment.crop:
            return Evaluation(crop=augment.crop)
        assert augment.random_resized_crop
        size = augment.random_resized_crop.size
        return Evaluation(resize=round(max(size) * USUAL_MARGIN), crop=size)

    @property
    def measures(self) -> bool:
        """Whether mean and standard deviation must be measured, because none are published for the data set."""
        return self.normalize == "data" and self.data.name not in MEAN_AND_STD

    @property
    def checkpointed(self) -> tuple[str, ...]:
        """The patterns in `checkpoint`, as a tuple."""
        return (self.checkpoint,) if isinstance(self.checkpoint, str) else self.checkpoint or ()

    def mean_and_std(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and standard deviation per channel, or None if images are not normalised and range from 0 to 1.

        A single number applies to every channel; grey images use the mean over the channels of a colour set. Values
        that must be measured are not known here: see cnngraph.train.data.normalization.
        """
        match self.normalize:
            case Normalize(mean=mean, std=std):
                pass
            case None:
                return None
            case name:
                mean, std = MEAN_AND_STD[self.data.name if name == "data" else name]
                if channels == 1:
                    mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        return (mean, std) if len(mean) == channels else (mean[:1] * channels, std[:1] * channels)
