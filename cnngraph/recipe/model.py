"""A training recipe: frozen dataclasses whose fields are the words a person may write."""

# ruff: noqa: RUF009 -- `field` is dataclasses.field with documentation, and the defaults it is given are frozen

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from cnngraph.fields import Choice, Either, Float, Int, Optional, Text, field
from cnngraph.recipe.augment import Augment, Evaluation
from cnngraph.recipe.data import DATA, Data, Normalize
from cnngraph.recipe.kinds import ByName, Fraction, Named, OrNone, Positive, Record
from cnngraph.recipe.optimizers import OPTIMIZERS, Optimizer
from cnngraph.recipe.schedules import SCHEDULES, Constant, Schedule, Warmup
from cnngraph.recipe.sets import FIGURES

USUAL_MARGIN = 256 / 224  # the shorter side to the size that is cut out of it


@dataclass(frozen=True)
class Loss:
    """Cross-entropy, of the logits and of auxiliary heads."""

    auxiliary: float | Mapping[str, float] = field(
        Either((Float(0), ByName())), "the weight of the outputs after the first: one for all, or by name", 0.3
    )


@dataclass(frozen=True)
class Recipe:
    """How a network is trained.

    `name` is what messages call it. With `validation` a part of the training images is put aside: the best epoch is
    chosen on it and the test images are looked at once, at the end. Without, the test images are reported after
    every epoch, nothing is chosen, and the last weights are kept.
    """

    about: str = field(Text(), "what it is for", "")
    data: Data = field(Named(DATA), "the images")
    epochs: int = field(Int(1), "how often every training image is seen")
    batch_size: int = field(Int(1), "images in one step", 64)
    optimizer: Optimizer = field(Named(OPTIMIZERS), "how weights follow their gradients")
    schedule: Schedule = field(Named(SCHEDULES), "how the learning rate changes", Constant())
    warmup: Warmup | None = field(OrNone(Record(Warmup)), "a smaller rate at first", None)
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
        Choice(("fp32", "bf16")),
        "in which numbers the network computes; bf16 is faster where the processor has it, and rounds more coarsely",
        "fp32",
    )
    save_every: float | None = field(
        OrNone(Positive()), "seconds after which the run is saved within an epoch, too; none: at its end only", 300.0
    )
    keep_every: int | None = field(OrNone(Int(1)), "keep the weights of every so many epochs, too", None)
    seed: int = field(Int(0), "of the weights, the order and the chances", 0)
    device: str = field(Choice(("auto", "cpu", "cuda")), "where it runs; auto: CUDA where there is one", "auto")
    name: str = dataclasses.field(default="recipe", kw_only=True, compare=False)

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

    def figures(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation by channel, or None where images stay as they are, from 0 to 1.

        One figure serves every channel; of a colour set's figures grey images take the mean. Those that are to be
        measured are not known before: see cnngraph.train.normalization.
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
