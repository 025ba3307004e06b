"""A training recipe: frozen dataclasses whose fields are the words a person may write."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping

from cnngraph.diagnostics import Span
from cnngraph.fields import Bool, Choice, Either, Float, Int, ListOf, Optional, Text, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.recipe.data import DATA, MOST_CLASSES, Data, Normalize
from cnngraph.recipe.kinds import LARGEST_COUNT, ByName, Fraction, Named, OrNone, Positive, Record, ZeroOr
from cnngraph.recipe.learning import Clip
from cnngraph.recipe.optimizers import OPTIMIZERS, Optimizer
from cnngraph.recipe.schedules import SCHEDULES, Constant, Schedule, Warmup
from cnngraph.recipe.sets import FIGURES

WEIGHT = ZeroOr(Positive(1e-6, 1e6))  # of a class or an output in the loss
COUNT = Int(1, LARGEST_COUNT)
MOST_WORKERS = 512
USUAL_MARGIN = 256 / 224  # the shorter side to the size that is cut out of it


class Loss(Frozen):
    """Cross-entropy, of the logits and of auxiliary heads.

    Losses that a run reports are the plain cross-entropy of the logits, whatever else is made small.
    """

    label_smoothing: float = field(Float(0, 1), "the part of each label that is spread evenly over all classes", 0.0)
    class_weights: str | tuple[float, ...] | None = field(
        Optional(Either((Choice(("balanced",)), ListOf(WEIGHT, 2, MOST_CLASSES)))),
        "how much an image of each class counts (0: not at all); balanced: by the training images, so that each class "
        "counts the same",
        None,
    )
    auxiliary: float | Mapping[str, float] = field(
        Either((WEIGHT, ByName(WEIGHT))), "the weight of the outputs after the first: one for all, or by name", 0.3
    )


class Recipe(Frozen):
    """How a network is trained.

    `name` is what messages call it, `places` is where its words stand (`optimizer.lr`), if it was read from a text.
    With `validation` a part of the training images is put aside: the best epoch is chosen on it and the test images are
    looked at once, at the end. Without, the test images are reported after every epoch, nothing is chosen, and the last
    weights are kept.
    """

    about: str = field(Text(), "what it is for", "")
    data: Data = field(Named(DATA), "the images")
    epochs: int = field(COUNT, "how often every training image is seen")
    batch_size: int = field(COUNT, "images in one step", 64)
    optimizer: Optimizer = field(Named(OPTIMIZERS), "how weights follow their gradients")
    schedule: Schedule = field(Named(SCHEDULES), "how the learning rate changes", Constant())
    warmup: Warmup | None = field(OrNone(Record(Warmup)), "a smaller rate at first", None)
    accumulate: int = field(COUNT, "batches whose gradients make one step; batch norm sees one batch at a time", 1)
    clip: Clip | None = field(OrNone(Record(Clip)), "how large gradients may be", None)
    ema: float | None = field(
        OrNone(Fraction()),
        "what the moving average of the weights keeps at each step, such as 0.999; the average is evaluated and kept",
        None,
    )
    early_stopping: int | None = field(
        OrNone(COUNT), "stop when so many epochs have brought none that is better than the best before", None
    )
    validation: float | None = field(
        OrNone(Fraction()), "the part of the training images on which the best epoch is chosen", 0.1
    )
    normalize: str | Normalize | None = field(
        OrNone(Either((Choice(("data", *FIGURES)), Record(Normalize)))),
        "mean and deviation: `data` for the set's own, a set's name, or figures",
        "data",
    )
    augment: Augment = field(Record(Augment), "what chance does to training images", Augment())
    evaluation: Evaluation | None = field(
        Optional(Record(Evaluation, "crop")), "how images are cut that are only looked at", None
    )
    loss: Loss = field(Record(Loss), "what is made small", Loss())
    precision: str = field(
        Choice(("fp32", "bf16", "fp16"), {"float32": "fp32", "bfloat16": "bf16", "float16": "fp16", "half": "fp16"}),
        "in which numbers the network computes; bf16 is faster where the processor has it, and rounds more coarsely; "
        "fp16 is for GPUs without bf16, and scales the loss",
        "fp32",
    )
    strategy: str = field(
        Choice(("ddp", "fsdp")),
        "what several processes share (torchrun): `ddp` the images of each batch; `fsdp` the weights of each block, "
        "too, for networks that do not fit into one GPU",
        "ddp",
    )
    compile: bool = field(Bool(), "torch.compile: slow to begin, then faster; needs a C++ compiler, or Triton", False)
    checkpoint: str | tuple[str, ...] | None = field(
        OrNone(Either((Text(), ListOf(Text(), 1, 100)))),
        "paths of blocks, with * and ** as in groups, that compute their activations twice rather than keep them: less "
        "memory, the same results",
        None,
    )
    deterministic: bool = field(
        Bool(),
        "on CUDA, the same result each time wherever PyTorch can; false: the fastest ways (a CPU always can)",
        True,
    )
    save_every: float | None = field(
        OrNone(Positive(1e-9, 1e9)),
        "seconds after which the run is saved within an epoch, too; none: at its end only",
        300.0,
    )
    keep_every: int | None = field(OrNone(COUNT), "keep the weights of every so many epochs, too", None)
    workers: int | None = field(
        Optional(Int(0, MOST_WORKERS)),
        "processes that decode images which memory does not hold; by default one a core, up to 16",
        None,
    )
    seed: int = field(Int(0), "of the weights, the order and the chances", 0)
    device: str = field(
        Choice(("auto", "cpu", "cuda"), {"gpu": "cuda"}), "where it runs; auto: CUDA where there is one", "auto"
    )
    name: str = dataclasses.field(default="recipe", kw_only=True, compare=False)
    places: Mapping[str, Span] = dataclasses.field(default_factory=dict, kw_only=True, compare=False, repr=False)

    @property
    def looked_at(self) -> Evaluation | None:
        """How images are cut that are only looked at; None where they stay whole."""
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
        """Whether mean and deviation are to be measured, because nobody has published the set's own."""
        return self.normalize == "data" and self.data.name not in FIGURES

    @property
    def checkpointed(self) -> tuple[str, ...]:
        """What `checkpoint` fits, as a list."""
        return (self.checkpoint,) if isinstance(self.checkpoint, str) else self.checkpoint or ()

    def figures(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation by channel, or None where images stay as they are, from 0 to 1.

        One figure serves every channel; of a colour set's figures grey images take the mean. Those that are to be
        measured are not known before: see cnngraph.train.data.normalization.
        """
        match self.normalize:
            case Normalize(mean=mean, std=std):
                pass
            case None:
                return None
            case name:
                mean, std = FIGURES[self.data.name if name == "data" else name]
                if channels == 1:
                    mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        return (mean, std) if len(mean) == channels else (mean[:1] * channels, std[:1] * channels)
