"""Image transformations: random ones for training, deterministic ones for evaluation."""

from __future__ import annotations

from typing import TypeAlias

from cnngraph.fields import Bool, Choice, Float, Int, Optional, Pair, field
from cnngraph.frozen import Frozen
from cnngraph.recipe.kinds import MAX_SIDE, Named, Positive, Record, Two, ZeroOr

Size: TypeAlias = tuple[int, int]
PADDING_MODES = ("zeros", "reflect", "replicate")
AREA = Positive(1e-6, 1)  # as a fraction of an image's area
RATIO = Positive(1e-3, 1e3)  # of width to height
STRENGTH = Float(0, 100)
ALPHA = ZeroOr(Positive(0.01, 100))  # of the Beta distribution, whose samples underflow near 0


class RandomResizedCrop(Frozen):
    """A crop of random area and aspect ratio, resized, as used to train on ImageNet. A bare size is enough.

    Images of a folder are cropped from their original size, unless `data.resize` resizes them first.
    """

    size: Size = field(Pair(1, MAX_SIDE), "height and width to resize the crop to")
    scale: tuple[float, float] = field(Two(AREA), "minimum and maximum fraction of the image's area", (0.08, 1.0))
    ratio: tuple[float, float] = field(
        Two(RATIO), "minimum and maximum aspect ratio, width divided by height", (0.75, 4 / 3)
    )


class ColorJitter(Frozen):
    """Random changes of colour, in random order for each batch. A strength of 0.4 means a factor from 0.6 to 1.4."""

    brightness: float = field(STRENGTH, "strength of the brightness change", 0.0)
    contrast: float = field(STRENGTH, "strength of the contrast change", 0.0)
    saturation: float = field(STRENGTH, "strength of the saturation change", 0.0)
    hue: float = field(Float(0, 0.5), "maximum rotation of the hue; 0.5 is half a turn", 0.0)


class RandomErasing(Frozen):
    """Fills a random rectangle with the mean colour (Zhong et al. 2020). A bare probability is enough."""

    p: float = field(Float(0, 1), "fraction of the images it is applied to")
    scale: tuple[float, float] = field(Two(AREA), "minimum and maximum fraction of the image's area", (0.02, 0.33))
    ratio: tuple[float, float] = field(
        Two(RATIO), "minimum and maximum aspect ratio, width divided by height", (0.3, 3.3)
    )


class TrivialAugment(Frozen):
    """One random geometric or colour transformation of random strength (Müller & Hutter 2021)."""

    name: str = field(Choice(("trivial_augment",)), "one random transformation of random strength", "trivial_augment")


class RandAugment(Frozen):
    """Several random geometric or colour transformations of the same strength (Cubuk et al. 2020)."""

    name: str = field(Choice(("rand_augment",)), "random transformations of the same strength", "rand_augment")
    ops: int = field(Int(1, 20), "number of transformations, applied in sequence", 2)
    magnitude: int = field(Int(0, 30), "strength, up to 30", 9)


Policy: TypeAlias = TrivialAugment | RandAugment
POLICIES = (TrivialAugment, RandAugment)


class Augment(Frozen):
    """Random transformations of training images, applied in this order.

    Batches are transformed on the training device, with independent random numbers for each image. The random numbers
    depend only on the seed, the epoch and the step. `mixup` and `cutmix` mix the images of a batch with each other, and
    their labels in the same proportion; if both are given, one of them is chosen for each batch.
    """

    random_resized_crop: RandomResizedCrop | None = field(
        Optional(Record(RandomResizedCrop, "size")), "a random crop of the image, resized", None
    )
    pad: int = field(Int(0, MAX_SIDE), "pixels to add on each side", 0)
    padding_mode: str = field(
        Choice(PADDING_MODES), "what fills the padding: black, the mirrored image, or its border pixels", "zeros"
    )
    crop: Size | None = field(Optional(Pair(1, MAX_SIDE)), "height and width of a crop at a random position", None)
    flip: bool = field(Bool(), "mirror horizontally with probability 0.5", False)
    rotation: float = field(
        Float(0, 180), "maximum rotation in degrees, in either direction; uncovered corners are black", 0.0
    )
    color_jitter: ColorJitter | None = field(Optional(Record(ColorJitter)), "random changes of colour", None)
    auto_augment: Policy | None = field(Optional(Named(POLICIES)), "a policy that chooses random transformations", None)
    random_erasing: RandomErasing | None = field(
        Optional(Record(RandomErasing, "p")), "erase a rectangle in some images", None
    )
    mixup: float = field(ALPHA, "blend pairs of images (Zhang et al. 2018); α of the Beta distribution, 0 is off", 0.0)
    cutmix: float = field(
        ALPHA, "paste a rectangle from another image (Yun et al. 2019); α of the Beta distribution, 0 is off", 0.0
    )


class Evaluation(Frozen):
    """The centre crop of images for evaluation, by default of the same size as in training.

    With `random_resized_crop`, the default is the usual ratio: for 224, the shorter side is resized to 256 first.
    """

    resize: int | None = field(Optional(Int(1, MAX_SIDE)), "resize the shorter side to this before cropping", None)
    crop: Size = field(Pair(1, MAX_SIDE), "height and width of the centre crop")
