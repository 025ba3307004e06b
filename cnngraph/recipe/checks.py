"""Combinations of values in a recipe that are errors."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from cnngraph.diagnostics import did_you_mean
from cnngraph.numbers import show_sizes
from cnngraph.recipe.augment import Augment, Evaluation, RandomErasing, RandomResizedCrop
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.data import ImageFolder, ImageNet, NamedSet, Normalize
from cnngraph.recipe.fit import check_images
from cnngraph.recipe.model import Loss, Recipe
from cnngraph.recipe.optimizers import Sgd
from cnngraph.recipe.schedules import MAX_FACTOR, Exponential, Plateau, Step, Warmup
from cnngraph.recipe.sets import SETS

MAX_ENLARGEMENT = 4
MAX_REPORTED = 100  # classes that a data set does not have
Problem: TypeAlias = tuple[str, str]  # the key to point at, and the message


def _one_of(record: Any, what: str, one: str, other: str, fallback: str) -> list[Problem]:
    """Check that exactly one of two keys is given; `fallback` is the key to point at if neither is."""
    present = [key for key in (one, other) if getattr(record, key) is not None]
    if len(present) == 2:
        return [(other, f"{what} has both `{one}` and `{other}`; remove one of them")]
    return [] if present else [(fallback, f"{what} needs `{one}` or `{other}`")]


def _check_step(schedule: Step) -> list[Problem]:
    return _one_of(schedule, "the schedule `step`", "every", "at", "name")


def _check_clip(clip: Clip) -> list[Problem]:
    return _one_of(clip, "`clip`", "norm", "value", "value")


def _check_loss(loss: Loss) -> list[Problem]:
    if isinstance(loss.class_weights, tuple) and not any(loss.class_weights):
        return [("class_weights", "all `loss.class_weights` are 0, so nothing would be learned")]
    return []


def _check_warmup(warmup: Warmup) -> list[Problem]:
    return _one_of(warmup, "`warmup`", "epochs", "steps", "start")


def _check_sgd(optimizer: Sgd) -> list[Problem]:
    if optimizer.nesterov and not optimizer.momentum:
        return [("nesterov", "`nesterov` needs a `momentum` above 0")]
    if optimizer.nesterov and optimizer.dampening:
        return [("nesterov", "`nesterov` cannot be combined with `dampening`")]
    if optimizer.dampening and not optimizer.momentum:
        return [("dampening", "`dampening` needs a `momentum` above 0")]
    return []


def _check_normalize(normalize: Normalize) -> list[Problem]:
    if len(normalize.mean) != len(normalize.std):
        message = (
            f"`normalize` needs one mean and one std per channel, got {len(normalize.mean)} and {len(normalize.std)}"
        )
        return [("std", message)]
    return []


def _check_augment(augment: Augment) -> list[Problem]:
    if augment.pad and not augment.crop:
        return [("pad", "`augment.pad` needs `augment.crop`, the size to which the padded image is cropped")]
    if (
        augment.crop and augment.pad >= min(augment.crop) and augment.padding_mode != "reflect"
    ):  # which is bounded by the image
        message = (
            f"`augment.pad` {augment.pad} is at least as large as `augment.crop`, so some crops would be only padding"
        )
        return [("pad", message)]
    if augment.padding_mode != "zeros" and not augment.pad:
        return [("padding_mode", "`augment.padding_mode` has no effect without `augment.pad`")]
    if augment.crop and augment.random_resized_crop:
        return [("crop", "`augment` has both `crop` and `random_resized_crop`; remove one of them")]
    return []


def _check_box(transform: RandomResizedCrop | RandomErasing) -> list[Problem]:
    return [
        (key, f"`{key}` must be a minimum and a maximum, got {low:g} and {high:g}")
        for key, (low, high) in (("scale", transform.scale), ("ratio", transform.ratio))
        if low > high
    ]


def _check_evaluation(evaluation: Evaluation) -> list[Problem]:
    if evaluation.resize and max(evaluation.crop) > evaluation.resize:
        message = (
            f"`evaluation.crop` {show_sizes(evaluation.crop)} is larger than `evaluation.resize` {evaluation.resize}"
        )
        return [("crop", message)]
    if evaluation.resize and evaluation.resize > MAX_ENLARGEMENT * max(evaluation.crop):
        message = f"`evaluation.resize` {evaluation.resize} is more than {MAX_ENLARGEMENT} times `evaluation.crop`"
        return [("resize", f"{message}, so most of the image would be cut off")]
    return []


def _check_set(data: NamedSet) -> list[Problem]:
    known = SETS[data.name].classes
    unknown = [name for name in data.classes or () if name not in known]
    problems = [
        ("classes", f"{SETS[data.name].title} has no class `{name}`: {did_you_mean(name, known) or _some(known)}")
        for name in unknown[:MAX_REPORTED]
    ]
    return problems + _check_classes(data)


def _check_classes(data: Any) -> list[Problem]:
    duplicates = sorted(name for name, count in Counter(data.classes or ()).items() if count > 1)
    return [("classes", f"class `{name}` is listed twice in `data.classes`") for name in duplicates]


def _some(classes: tuple[str, ...]) -> str:
    """The first of many classes."""
    return "it has " + ", ".join(classes[:12]) + (", …" if len(classes) > 12 else "")


def _check_recipe(recipe: Recipe) -> list[Problem]:
    return _check_training(recipe) + _check_images(recipe)


def _check_training(recipe: Recipe) -> list[Problem]:
    """Check the options of the training loop against each other."""
    problems = []
    if isinstance(recipe.schedule, Plateau) and recipe.validation is None:
        problems.append(("schedule", "the schedule `plateau` needs a validation split, but `validation` is `none`"))
    if recipe.early_stopping and recipe.validation is None:
        problems.append(("early_stopping", "`early_stopping` needs a validation split, but `validation` is `none`"))
    if recipe.compile and recipe.checkpoint:
        message = "`checkpoint` cannot be combined with `compile`, which decides by itself what to recompute"
        problems.append(("checkpoint", message))
    if recipe.warmup and (recipe.warmup.epochs or 0) >= recipe.epochs:
        message = f"`warmup` takes {recipe.warmup.epochs} epochs, but the run has only {recipe.epochs}"
        problems.append(("warmup", message))
    if isinstance(recipe.schedule, Exponential) and recipe.schedule.gamma > 1:
        raised = (recipe.epochs - 1) * math.log10(recipe.schedule.gamma)
        if raised > math.log10(MAX_FACTOR):
            message = f"the schedule `exponential` would multiply the learning rate by 10^{raised:.0f} in total"
            problems.append(("schedule", message))
    return problems


def _check_images(recipe: Recipe) -> list[Problem]:
    if not isinstance(recipe.data, NamedSet):
        return []
    channels, *size = SETS[recipe.data.name].shape
    return check_images(recipe, (channels, *(recipe.data.resize or size)))


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
