"""A training recipe: frozen dataclasses whose fields are the words a person may write."""

# ruff: noqa: RUF009 -- `field` is dataclasses.field with documentation, and the defaults it is given are frozen

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from cnngraph.fields import Bool, Choice, Either, Float, Int, ListOf, Optional, Pair, Text, field
from cnngraph.recipe.kinds import ByName, Fraction, Label, Named, OrNone, Positive, Record
from cnngraph.recipe.optimizers import OPTIMIZERS, Optimizer
from cnngraph.recipe.schedules import SCHEDULES, Constant, Schedule
from cnngraph.recipe.sets import FIGURES, SETS


@dataclass(frozen=True)
class NamedSet:
    """A well-known set of images.

    `digits` ships with the package: 6,000 training and 2,000 test images of MNIST. The others are downloaded on first
    use into the data folder (`--data-dir`, by default the user's cache).
    """

    name: str = field(Choice(tuple(SETS)), "the set")
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(Optional(Pair(1)), "height and width to resize to", None)


@dataclass(frozen=True)
class ImageFolder:
    """Images in one folder a class, as the data folder (`--data-dir`) holds them.

    It may have such folders in `train`, `val` and `test`. Without `val` the validation part is cut from the training
    images; without `train` all of them are training images; without `test` there is nothing to look at in the end.
    """

    name: str = field(Choice(("folder",)), "images in one folder a class", "folder")
    path: str | None = field(
        Optional(Text()), "a folder inside the data folder; without it, the data folder itself", None
    )
    classes: tuple[str, ...] | None = field(
        Optional(ListOf(Label(), 2)), "only these classes, labelled in this order", None
    )
    resize: tuple[int, int] | None = field(
        Optional(Pair(1)), "height and width to resize to; without it, the network's input", None
    )


@dataclass(frozen=True)
class Normalize:
    """What is taken from each channel, and what it is then divided by; images count from 0 to 1."""

    mean: tuple[float, ...] = field(ListOf(Float(0, 1)), "the mean of each channel")
    std: tuple[float, ...] = field(ListOf(Positive()), "the deviation of each channel")


@dataclass(frozen=True)
class Augment:
    """What chance does to a training image, in this order. Evaluation sees the middle of the image, unpadded."""

    pad: int = field(Int(0), "black pixels added on every side", 0)
    crop: tuple[int, int] | None = field(Optional(Pair(1)), "height and width cut out at a random place", None)
    flip: bool = field(Bool(), "mirror left and right, half of the time", False)


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
    data: NamedSet | ImageFolder = field(Named((NamedSet, ImageFolder)), "the images")
    epochs: int = field(Int(1), "how often every training image is seen")
    batch_size: int = field(Int(1), "images in one step", 64)
    optimizer: Optimizer = field(Named(OPTIMIZERS), "how weights follow their gradients")
    schedule: Schedule = field(Named(SCHEDULES), "how the learning rate changes", Constant())
    validation: float | None = field(
        OrNone(Fraction()), "the part of the training images on which the best epoch is chosen", 0.1
    )
    normalize: str | Normalize | None = field(
        OrNone(Either((Choice(("data", *FIGURES)), Record(Normalize)))),
        "mean and deviation: `data` for the set's own (ImageNet's for a folder), a set's name, or figures",
        "data",
    )
    augment: Augment = field(Record(Augment), "what chance does to training images", Augment())
    loss: Loss = field(Record(Loss), "what is made small", Loss())
    precision: str = field(
        Choice(("fp32", "bf16")),
        "in which numbers the network computes; bf16 is faster where the processor has it, and rounds more coarsely",
        "fp32",
    )
    seed: int = field(Int(0), "of the weights, the order and the chances", 0)
    device: str = field(Choice(("auto", "cpu", "cuda")), "where it runs; auto: CUDA where there is one", "auto")
    name: str = dataclasses.field(default="recipe", kw_only=True, compare=False)

    def figures(self, channels: int) -> tuple[tuple[float, ...], tuple[float, ...]] | None:
        """Mean and deviation by channel, or None where images stay as they are, from 0 to 1.

        One figure serves every channel; of a colour set's figures grey images take the mean.
        """
        match self.normalize:
            case Normalize(mean=mean, std=std):
                pass
            case None:
                return None
            case name:
                mean, std = FIGURES.get(self.data.name if name == "data" else name, FIGURES["imagenet"])
                if channels == 1:
                    mean, std = (sum(mean) / len(mean),), (sum(std) / len(std),)
        return (mean, std) if len(mean) == channels else (mean[:1] * channels, std[:1] * channels)
