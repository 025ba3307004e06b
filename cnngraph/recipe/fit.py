"""Whether a network suits the images it is to be trained on, before the first batch."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.recipe.data import NamedSet, Normalize
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType


def check_images(recipe: Recipe, shape: tuple[int, int, int]) -> list[tuple[str, str]]:
    """What of a recipe does not suit images of a (resized) shape: the word, and what is wrong with it."""
    channels, *size = shape
    problems = []
    crop, look, normalize = recipe.augment.crop, recipe.evaluation, recipe.normalize
    if crop and _larger(crop, size):
        problems.append(("augment", f"augment.crop {_by(crop)} is larger than the image, {_by(size)}"))
    pad = recipe.augment.pad
    if recipe.augment.padding_mode == "reflect" and pad >= min(size):
        problems.append(("augment", f"augment.pad {pad} mirrors more than there is of the image, {_by(size)}"))
    if look and look.resize:
        size = [round(each * look.resize / min(size)) for each in size]
    if look and _larger(look.crop, size):
        problems.append(("evaluation", f"evaluation.crop {_by(look.crop)} is larger than the image, {_by(size)}"))
    if isinstance(normalize, Normalize) and len(normalize.mean) not in (1, channels):
        message = f"normalize has figures for {len(normalize.mean)} channels, the images have {channels}"
        problems.append(("normalize", message))
    return problems


def _larger(crop: Sequence[int], size: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(crop, size, strict=True))


def _by(size: Sequence[int]) -> str:
    return "×".join(map(str, size))


def image_shape(recipe: Recipe, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """What the network gets to see of images of a shape, after resizing and cropping."""
    resized = recipe.augment.random_resized_crop
    return shape[0], *(resized.size if resized else recipe.augment.crop or recipe.data.resize or shape[1:])


def check_fit(
    recipe: Recipe,
    inputs: Mapping[str, TensorType],
    outputs: Mapping[str, TensorType],
    *,
    span: Span | None = None,
    places: Mapping[str, Span] | None = None,
    params: Collection[str] = ("classes",),
    shape: tuple[int, int, int] | None = None,
    classes: int | None = None,
) -> list[Diagnostic]:
    """What keeps a network with these inputs and outputs from training by the recipe.

    `shape` and `classes` are those of the images; a named set is known without them, and of a folder that nobody
    has looked into nothing is said. What is wrong with the network is said at `span`, or at `places`, those of the
    outputs; what is wrong with the recipe, where its word stands. `params` are the names that --set may change.
    """
    title = "the folder"
    if isinstance(recipe.data, NamedSet):
        known = SETS[recipe.data.name]
        title, shape = known.title, shape or known.shape
        classes = classes or len(recipe.data.classes or known.classes)
    found = _check_inputs(recipe, inputs, shape, title, span)
    if shape:
        sized = (shape[0], *(recipe.data.resize or shape[1:]))
        found += [Diagnostic("E605", message, recipe.places.get(word)) for word, message in check_images(recipe, sized)]
    wrong = {name: each for name, each in outputs.items() if classes and each.sizes != (classes,)}
    if wrong:
        place = (places or {}).get(next(iter(wrong)), span)
        help = f"--set classes={classes}" if "classes" in params else f"its last layer needs out: {classes}"
        found.append(Diagnostic("E611", _misfit(f"{title} has {classes} classes", wrong), place, help=help))
    weights = recipe.loss.class_weights
    if classes and isinstance(weights, tuple) and len(weights) != classes:
        message = f"loss.class_weights has {len(weights)} weights, and {title} has {classes} classes"
        found.append(Diagnostic("E605", message, recipe.places.get("loss.class_weights")))
    return found + _check_auxiliary(recipe, list(outputs)[1:])


def _check_inputs(
    recipe: Recipe,
    inputs: Mapping[str, TensorType],
    shape: tuple[int, int, int] | None,
    title: str,
    span: Span | None,
) -> list[Diagnostic]:
    if len(inputs) != 1:
        names = ", ".join(inputs)
        return [
            Diagnostic("E612", f"training needs a network with one input, this one has {len(inputs)}: {names}", span)
        ]
    if not shape:
        return []
    given, wanted = image_shape(recipe, shape), next(iter(inputs.values()))
    look = recipe.looked_at
    if look and look.crop != given[1:]:
        message = f"evaluation cuts out {_by(look.crop)}, training {_by(given[1:])}: one network takes one size"
        return [Diagnostic("E605", message, recipe.places.get("evaluation"))]
    if given == wanted.sizes:
        return []
    said = "×".join(map(str, given))
    help = None
    if wanted.rank == 3 and wanted.channels == given[0]:
        table, word = "data", "resize"
        if recipe.augment.random_resized_crop:
            table, word = "augment", "random_resized_crop.size"
        elif recipe.augment.crop:
            table, word = "augment", "crop"
        size = wanted.sizes[1] if wanted.sizes[1] == wanted.sizes[2] else list(wanted.sizes[1:])
        help = f"--set train.{table}.{word}={size} makes the images fit, --input {said.replace('×', 'x')} the network"
    elif wanted.rank == 3:
        help = f"a network for these images has the input [{', '.join(map(str, given))}]"
    return [Diagnostic("E610", f"the network takes images of {wanted}, {title} has {said}", span, help=help)]


def _misfit(fact: str, outputs: Mapping[str, TensorType]) -> str:
    """The sizes of the outputs that do not fit, in one message."""
    first, *others = (f"{name} is {each}" for name, each in outputs.items())
    first = first.removeprefix("output ")  # the name of one that nobody named
    return f"{fact}, but the network's output {first}{''.join(f', and {each}' for each in others)}"


def _check_auxiliary(recipe: Recipe, heads: list[str]) -> list[Diagnostic]:
    named = recipe.loss.auxiliary
    if not isinstance(named, Mapping):
        return []
    has = f"it has {', '.join(heads)}" if heads else "it has one output"
    place = recipe.places.get("loss.auxiliary")
    return [
        Diagnostic(
            "E613", f"loss.auxiliary weighs {each}, which is no auxiliary output of the network", place, help=has
        )
        for each in named
        if each not in heads
    ]
