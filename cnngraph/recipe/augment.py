"""What is done to images before a network sees them: by chance in training, the same each time in evaluation."""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.fields import Bool, Choice, Float, Int, Optional, Pair, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import LARGEST_SIDE, Named, Positive, Record, Two, ZeroOr

Size: TypeAlias = tuple[int, int]
PADDING_MODES = ("zeros", "reflect", "replicate")
PART = Positive(1e-6, 1)  # of an image's area
RATIO = Positive(1e-3, 1e3)  # of width to height
STRENGTH = Float(0, 100)
ALPHA = ZeroOr(Positive(0.01, 100))  # of the Beta distribution, whose draws underflow near 0


class RandomResizedCrop(Frozen):
    """A part of the image of random area and shape, resized, as networks for ImageNet are trained. A bare size will do.

    Images of a folder are cut as they are in their files, unless `data.resize` gives them one size before.
    """

    size: Size = field(Pair(1, LARGEST_SIDE), "height and width that it is resized to")
    scale: tuple[float, float] = field(Two(PART), "the least and the greatest part of the area", (0.08, 1.0))
    ratio: tuple[float, float] = field(Two(RATIO), "the least and the greatest width to a height of 1", (0.75, 4 / 3))


class ColorJitter(Frozen):
    """Colours changed, each by a random factor: 0.4 is one from 0.6 to 1.4. What comes first is drawn by batch."""

    brightness: float = field(STRENGTH, "of brightness", 0.0)
    contrast: float = field(STRENGTH, "of the distance to the image's mean grey", 0.0)
    saturation: float = field(STRENGTH, "of the distance to each pixel's grey", 0.0)
    hue: float = field(Float(0, 0.5), "how far the hue may turn; 0.5 is half a circle", 0.0)


class RandomErasing(Frozen):
    """A random rectangle made the mean colour (Zhong et al. 2020). A bare probability will do."""

    p: float = field(Float(0, 1), "of how many images")
    scale: tuple[float, float] = field(Two(PART), "the least and the greatest part of the area", (0.02, 0.33))
    ratio: tuple[float, float] = field(Two(RATIO), "the least and the greatest width to a height of 1", (0.3, 3.3))


class TrivialAugment(Frozen):
    """One random change of shape or colour, of random strength (Müller & Hutter 2021)."""

    name: str = field(Choice(("trivial_augment",)), "one random change of random strength", "trivial_augment")


class RandAugment(Frozen):
    """Some random changes of shape or colour, all of one strength (Cubuk et al. 2020)."""

    name: str = field(Choice(("rand_augment",)), "random changes of one strength", "rand_augment")
    ops: int = field(Int(1, 20), "how many, one after the other", 2)
    magnitude: int = field(Int(0, 30), "how strong, up to 30", 9)


Policy: TypeAlias = TrivialAugment | RandAugment
POLICIES = (TrivialAugment, RandAugment)


class Augment(Frozen):
    """What chance does to a training image, in this order.

    Whole batches are changed on the device that trains, each image by chances of its own. The chances follow from the
    seed, the epoch and the step. `mixup` and `cutmix` mix a batch with itself, and its labels in the same proportion;
    where both are given, each batch is mixed by one of the two.
    """

    random_resized_crop: RandomResizedCrop | None = field(
        Optional(Record(RandomResizedCrop, "size")), "a random part of the image, resized", None
    )
    pad: int = field(Int(0, LARGEST_SIDE), "pixels added on every side", 0)
    padding_mode: str = field(
        Choice(PADDING_MODES), "what they are: black, the image mirrored at its border, or its border's", "zeros"
    )
    crop: Size | None = field(Optional(Pair(1, LARGEST_SIDE)), "height and width cut out at a random place", None)
    flip: bool = field(Bool(), "mirror left and right, half of the time", False)
    rotation: float = field(Float(0, 180), "turn by up to so many degrees, either way; what was outside is black", 0.0)
    color_jitter: ColorJitter | None = field(Optional(Record(ColorJitter)), "colours changed", None)
    auto_augment: Policy | None = field(Optional(Named(POLICIES)), "a policy of many changes", None)
    random_erasing: RandomErasing | None = field(
        Optional(Record(RandomErasing, "p")), "a rectangle of some images erased", None
    )
    mixup: float = field(ALPHA, "images blended (Zhang et al. 2018), by parts of the Beta distribution of this α", 0.0)
    cutmix: float = field(
        ALPHA, "a rectangle of another image (Yun et al. 2019), its area of the Beta distribution of this α", 0.0
    )


class Evaluation(Frozen):
    """How an image is cut that is only looked at: the middle of it, by default of the size that training has.

    Beside `random_resized_crop` the default is the usual one: for 224, the shorter side resized to 256.
    """

    resize: int | None = field(Optional(Int(1, LARGEST_SIDE)), "what the shorter side is resized to before", None)
    crop: Size = field(Pair(1, LARGEST_SIDE), "height and width cut out of the middle")
