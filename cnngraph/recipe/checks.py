"""Which words of a recipe do not go together."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable
from typing import Any, TypeAlias

from cnngraph.diagnostics import did_you_mean
from cnngraph.recipe.augment import Augment, Evaluation, RandomErasing, RandomResizedCrop
from cnngraph.recipe.data import ImageFolder, ImageNet, NamedSet, Normalize
from cnngraph.recipe.fit import check_images
from cnngraph.recipe.learning import Clip
from cnngraph.recipe.model import Loss, Recipe
from cnngraph.recipe.optimizers import Sgd
from cnngraph.recipe.schedules import LARGEST_FACTOR, Exponential, Plateau, Step, Warmup
from cnngraph.recipe.sets import SETS

MOST_ENLARGED = 4
MOST_TOLD = 100  # classes that a set does not have
Problem: TypeAlias = tuple[str, str]  # the word to point at, and the message


def _one_of(made: Any, what: str, one: str, other: str, place: str) -> list[Problem]:
    """Of two words exactly one is to be said; `place` is the word to point at where neither is."""
    given = [each for each in (one, other) if getattr(made, each) is not None]
    if len(given) == 2:
        return [(other, f"{what} takes either {one} or {other}, not both")]
    return [] if given else [(place, f"{what} needs either {one} or {other}")]


def _check_step(made: Step) -> list[Problem]:
    return _one_of(made, "schedule step", "every", "at", "name")


def _check_clip(made: Clip) -> list[Problem]:
    return _one_of(made, "clip", "norm", "value", "value")


def _check_loss(made: Loss) -> list[Problem]:
    if isinstance(made.class_weights, tuple) and not any(made.class_weights):
        return [("class_weights", "loss.class_weights are all 0: nothing would be learned")]
    return []


def _check_warmup(made: Warmup) -> list[Problem]:
    return _one_of(made, "warmup", "epochs", "steps", "start")


def _check_sgd(made: Sgd) -> list[Problem]:
    if made.nesterov and not made.momentum:
        return [("nesterov", "Nesterov's momentum needs a momentum above 0")]
    if made.nesterov and made.dampening:
        return [("nesterov", "Nesterov's momentum has no dampening")]
    if made.dampening and not made.momentum:
        return [("dampening", "dampening needs a momentum above 0")]
    return []


def _check_normalize(made: Normalize) -> list[Problem]:
    if len(made.mean) != len(made.std):
        return [("std", f"normalize has {len(made.mean)} means and {len(made.std)} deviations: one each for a channel")]
    return []


def _check_augment(made: Augment) -> list[Problem]:
    if made.pad and not made.crop:
        return [("pad", "augment.pad needs augment.crop: the size that is cut out of the padded image")]
    if made.crop and made.pad >= min(made.crop) and made.padding_mode != "reflect":  # which is bounded by the image
        message = (
            f"augment.pad {made.pad} is as large as augment.crop: some crops would have nothing but padding in them"
        )
        return [("pad", message)]
    if made.padding_mode != "zeros" and not made.pad:
        return [("padding_mode", "augment.padding_mode says how augment.pad pads, and there is none")]
    if made.crop and made.random_resized_crop:
        return [("crop", "augment has both crop and random_resized_crop; each says what is cut out")]
    return []


def _check_box(made: RandomResizedCrop | RandomErasing) -> list[Problem]:
    return [
        (word, f"{word} goes from the least to the greatest, got {low:g} and {high:g}")
        for word, (low, high) in (("scale", made.scale), ("ratio", made.ratio))
        if low > high
    ]


def _check_evaluation(made: Evaluation) -> list[Problem]:
    if made.resize and max(made.crop) > made.resize:
        return [("crop", f"evaluation.crop is larger than the shorter side, which is resized to {made.resize}")]
    if made.resize and made.resize > MOST_ENLARGED * max(made.crop):
        message = f"evaluation.resize {made.resize} is more than {MOST_ENLARGED} times evaluation.crop"
        return [("resize", f"{message}: hardly any of the image would be seen")]
    return []


def _check_set(made: NamedSet) -> list[Problem]:
    known = SETS[made.name].classes
    strange = [each for each in made.classes or () if each not in known]
    problems = [
        ("classes", f"{SETS[made.name].title} has no class {each}: {did_you_mean(each, known) or _some(known)}")
        for each in strange[:MOST_TOLD]
    ]
    return problems + _check_classes(made)


def _check_classes(made: Any) -> list[Problem]:
    twice = sorted(name for name, count in Counter(made.classes or ()).items() if count > 1)
    return [("classes", f"class {each} stands twice in data.classes") for each in twice]


def _some(words: tuple[str, ...]) -> str:
    """The first of many words."""
    return "it has " + ", ".join(words[:12]) + (" …" if len(words) > 12 else "")


def _check_recipe(made: Recipe) -> list[Problem]:
    return _check_course(made) + _check_suited(made)


def _check_course(made: Recipe) -> list[Problem]:
    """What the words on the course of a run have to do with each other."""
    problems = []
    if isinstance(made.schedule, Plateau) and made.validation is None:
        problems.append(("schedule", "schedule plateau watches the validation loss, and validation is none"))
    if made.early_stopping and made.validation is None:
        problems.append(("early_stopping", "early_stopping watches the validation part, and validation is none"))
    if made.compile and made.checkpoint:
        problems.append(("checkpoint", "checkpoint is for networks that are not compiled: compile chooses by itself"))
    if made.warmup and (made.warmup.epochs or 0) >= made.epochs:
        problems.append(("warmup", f"warmup takes {made.warmup.epochs} epochs, and all are {made.epochs}"))
    if isinstance(made.schedule, Exponential) and made.schedule.gamma > 1:
        raised = (made.epochs - 1) * math.log10(made.schedule.gamma)
        if raised > math.log10(LARGEST_FACTOR):
            message = f"schedule exponential would multiply the learning rate by 10^{raised:.0f} by the last epoch"
            problems.append(("schedule", message))
    return problems


def _check_suited(made: Recipe) -> list[Problem]:
    if not isinstance(made.data, NamedSet):
        return []
    channels, *size = SETS[made.data.name].shape
    return [(word, message) for word, message in check_images(made, (channels, *(made.data.resize or size)))]


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
