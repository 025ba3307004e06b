"""Combinations of values in a recipe that are errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from cnngraph.diagnostics import did_you_mean
from cnngraph.numbers import show_sizes
from cnngraph.recipe.augment import Augment, Evaluation, RandomErasing, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder, ImageNet, NamedSet, Normalize
from cnngraph.recipe.fit import check_images
from cnngraph.recipe.learning import Clip
from cnngraph.recipe.model import Loss, Recipe
from cnngraph.recipe.optimizers import Sgd
from cnngraph.recipe.schedules import LARGEST_FACTOR, Exponential, Plateau, Step, Warmup
from cnngraph.recipe.sets import SETS

MOST_ENLARGED = 4
MOST_REPORTED = 100  # classes that a data set does not have
Problem: TypeAlias = tuple[str, str]  # the key to point at, and the message


def _one_of(record: Any, what: str, one: str, other: str, fallback: str) -> list[Problem]:
    """Check that exactly one of two keys is given; `fallback` is the key to point at if neither is."""
    present = [key for key in (one, other) if getattr(record, key) is not None]
    if len(present) == 2:
        return [(other, f"{what} has both `{one}` and `{other}`; remove one of them")]
    return [] if present else [(fallback, f"{what} needs `{one}` or `{other}`")]


def _check_step(made: Step) -> list[Problem]:
    return _one_of(made, "the schedule `step`", "every", "at", "name")


def _check_clip(made: Clip) -> list[Problem]:
    return _one_of(made, "`clip`", "norm", "value", "value")


def _check_loss(made: Loss) -> list[Problem]:
    if isinstance(made.class_weights, tuple) and not any(made.class_weights):
        return [("class_weights", "all `loss.class_weights` are 0, so nothing would be learned")]
    return []


def _check_warmup(made: Warmup) -> list[Problem]:
    return _one_of(made, "`warmup`", "epochs", "steps", "start")


def _check_sgd(made: Sgd) -> list[Problem]:
    if made.nesterov and not made.momentum:
        return [("nesterov", "`nesterov` needs a `momentum` above 0")]
    if made.nesterov and made.dampening:
        return [("nesterov", "`nesterov` cannot be combined with `dampening`")]
    if made.dampening and not made.momentum:
        return [("dampening", "`dampening` needs a `momentum` above 0")]
    return []


def _check_normalize(made: Normalize) -> list[Problem]:
    if len(made.mean) != len(made.std):
        message = f"`normalize` needs one mean and one std per channel, got {len(made.mean)} and {len(made.std)}"
        return [("std", message)]
    return []


def _check_augment(made: Augment) -> list[Problem]:
    if made.pad and not made.crop:
        return [("pad", "`augment.pad` needs `augment.crop`, the size of the crop of the padded image")]
    if made.crop and made.pad >= min(made.crop) and made.padding_mode != "reflect":  # which is bounded by the image
        message = f"`augment.pad` {made.pad} is as large as `augment.crop`, so some crops would be only padding"
        return [("pad", message)]
    if made.padding_mode != "zeros" and not made.pad:
        return [("padding_mode", "`augment.padding_mode` has no effect without `augment.pad`")]
    if made.crop and made.random_resized_crop:
        return [("crop", "`augment` has both `crop` and `random_resized_crop`; remove one of them")]
    return []


def _check_box(made: RandomResizedCrop | RandomErasing) -> list[Problem]:
    return [
        (key, f"`{key}` must be a minimum and a maximum, got {low:g} and {high:g}")
        for key, (low, high) in (("scale", made.scale), ("ratio", made.ratio))
        if low > high
    ]


def _check_evaluation(made: Evaluation) -> list[Problem]:
    if made.resize and max(made.crop) > made.resize:
        message = f"`evaluation.crop` {show_sizes(made.crop)} is larger than `evaluation.resize` {made.resize}"
        return [("crop", message)]
    if made.resize and made.resize > MOST_ENLARGED * max(made.crop):
        message = f"`evaluation.resize` {made.resize} is more than {MOST_ENLARGED} times `evaluation.crop`"
        return [("resize", f"{message}, so most of the image would be cut off")]
    return []


def _check_set(made: NamedSet) -> list[Problem]:
    known = SETS[made.name].classes
    unknown = [name for name in made.classes or () if name not in known]
    problems = [
        ("classes", f"{SETS[made.name].title} has no class `{name}`: {did_you_mean(name, known) or _some(known)}")
        for name in unknown[:MOST_REPORTED]
    ]
    return problems + _check_classes(made)


def _check_classes(made: Any) -> list[Problem]:
    duplicates = sorted(name for name, count in Counter(made.classes or ()).items() if count > 1)
    return [("classes", f"class `{name}` is listed twice in `data.classes`") for name in duplicates]


def _some(classes: tuple[str, ...]) -> str:
    """The first of many classes."""
    return "it has " + ", ".join(classes[:12]) + (", …" if len(classes) > 12 else "")


def _check_recipe(made: Recipe) -> list[Problem]:
    return _check_training(made) + _check_images(made)


def _check_training(made: Recipe) -> list[Problem]:
    """Check the options of the training loop against each other."""
    problems = []
    if isinstance(made.schedule, Plateau) and made.validation is None:
        problems.append(("schedule", "the schedule `plateau` needs a validation split, but `validation` is none"))
    if made.early_stopping and made.validation is None:
        problems.append(("early_stopping", "`early_stopping` needs a validation split, but `validation` is none"))
    if made.compile and made.checkpoint:
        message = "`checkpoint` cannot be combined with `compile`, which decides by itself what to recompute"
        problems.append(("checkpoint", message))
    if made.warmup and (made.warmup.epochs or 0) >= made.epochs:
        message = f"`warmup` takes {made.warmup.epochs} epochs, but the run has only {made.epochs}"
        problems.append(("warmup", message))
    if isinstance(made.schedule, Exponential) and made.schedule.gamma > 1:
        raised = (made.epochs - 1) * math.log10(made.schedule.gamma)
        if raised > math.log10(LARGEST_FACTOR):
            message = f"the schedule `exponential` would multiply the learning rate by 10^{raised:.0f} in total"
            problems.append(("schedule", message))
    return problems


def _check_images(made: Recipe) -> list[Problem]:
    if not isinstance(made.data, NamedSet):
        return []
    channels, *size = SETS[made.data.name].shape
    return check_images(made, (channels, *(made.data.resize or size)))


CHECKS: dict[type[Any], Callable[[Any], list[Problem]]] = {
    Step: _check_step,
    Warmup: _check_warmup,
    Clip: _check_clip,
    Loss: _check_loss,
    Sgd: _check_sgd,
    Normalize: _check_normalize,
    Augment: _check_augment,
    RandomResizedCrop: _check_box,
    RandomErasing: _check_box,
    Evaluation: _check_evaluation,
    NamedSet: _check_set,
    ImageFolder: _check_classes,
    ImageNet: _check_classes,
    Recipe: _check_recipe,
}
