"""Whether a network suits the images it is to be trained on, before the first batch."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple, TypeAlias

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document.flow import write_flow
from cnngraph.numbers import show_sizes
from cnngraph.recipe.data import NamedSet, Normalize
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType


@dataclass(frozen=True, slots=True)
class ImageFacts:
    """What is known of images once they were read: their shape C×H×W, the number of classes and of training images."""

    shape: tuple[int, int, int]
    classes: int
    count: int | None = None


ReadImages: TypeAlias = Callable[[Recipe, TensorType], ImageFacts]  # of a network's input; raises SpecError


def check_images(recipe: Recipe, shape: tuple[int, int, int]) -> list[tuple[str, str]]:
    """What of a recipe does not suit images of a (resized) shape: the word, and what is wrong with it."""
    channels, *size = shape
    problems = []
    crop, look, normalize = recipe.augment.crop, recipe.evaluation, recipe.normalize
    if crop and _larger(crop, size):
        problems.append(("augment", f"augment.crop {show_sizes(crop)} is larger than the image, {show_sizes(size)}"))
    pad = recipe.augment.pad
    if recipe.augment.padding_mode == "reflect" and pad >= min(size):
        problems.append(("augment", f"augment.pad {pad} mirrors more than there is of the image, {show_sizes(size)}"))
    if look and look.resize:
        size = [round(each * look.resize / min(size)) for each in size]
    if look and _larger(look.crop, size):
        problems.append(
            ("evaluation", f"evaluation.crop {show_sizes(look.crop)} is larger than the image, {show_sizes(size)}")
        )
    if isinstance(normalize, Normalize) and len(normalize.mean) not in (1, channels):
        message = f"normalize has figures for {len(normalize.mean)} channels, the images have {channels}"
        problems.append(("normalize", message))
    return problems


def _larger(crop: Sequence[int], size: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(crop, size, strict=True))


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

    `shape` and `classes` are those of the images; those of a named set are known without them, of a folder that was
    not read yet they are not. Errors of the network are reported at `span`, or at `places`, those of the outputs;
    errors of the recipe at its key. `params` are the params that --set may change, with their values if known.
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
    found += _check_outputs(outputs, classes, title, params, dict.fromkeys(outputs, span) | dict(places or {}))
    weights = recipe.loss.class_weights
    if classes and isinstance(weights, tuple) and len(weights) != classes:
        message = f"loss.class_weights has {len(weights)} weights, and {title} has {classes} classes"
        help = f"give {classes} weights, in the order of the classes, or balanced"
        found.append(Diagnostic("E605", message, recipe.places.get("loss.class_weights"), help=help))
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
        message = f"training needs a network with one input, this one has {len(inputs)}: {names}"
        return [Diagnostic("E612", message, span, help="build it, and write the training loop in Python")]
    if not shape:
        return []
    given, wanted = image_shape(recipe, shape), next(iter(inputs.values()))
    look = recipe.looked_at
    if look and look.crop != given[1:]:
        message = (
            f"evaluation cuts out {show_sizes(look.crop)}, training {show_sizes(given[1:])}: one network takes one size"
        )
        return [Diagnostic("E605", message, recipe.places.get("evaluation"))]
    if given == wanted.sizes:
        return []
    said = show_sizes(given)
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
        help = f"a network for these images has the input {write_flow(given)}"
    return [Diagnostic("E610", f"the network takes images of {wanted}, {title} has {said}", span, help=help)]


def _check_outputs(
    outputs: Mapping[str, TensorType],
    classes: int | None,
    title: str,
    params: Collection[str],
    places: Mapping[str, Span | None],
) -> list[Diagnostic]:
    """Whether every output is a vector with a number for each class, where it is known how many there are."""
    fixed = {name: each for name, each in outputs.items() if not each.batched}
    shapeless = {name: each for name, each in outputs.items() if each.rank != 1}
    wrong = {name: each for name, each in outputs.items() if classes and each.sizes != (classes,)}
    at = places.get(next(iter(fixed or shapeless or wrong), ""))
    if fixed:
        message = f"the network's output {', '.join(fixed)} is a parameter, so it does not depend on the image"
        return [Diagnostic("E611", message, at, help="output a node that reads the input")]
    if shapeless:
        first = next(iter(shapeless.values()))
        numbers = f"{classes} numbers, one" if classes else "one number"
        message = (
            f"training classifies whole images and needs a vector of {numbers} for each class, but "
            f"{_sizes({**shapeless, **wrong})}{': maps are not classified' if first.is_map else ''}"
        )
        return [Diagnostic("E611", message, at, help=_vector_help(first, classes, params))]
    if wrong:
        help = _length_help(params, wrong, classes)
        return [Diagnostic("E611", f"{title} has {classes} classes, but {_sizes(wrong)}", at, help=help)]
    return []


def _vector_help(output: TensorType, classes: int | None, params: Collection[str]) -> str:
    """How an output of another rank becomes a vector with a number for each class."""
    length, size = output.channels, classes or "the number of classes"
    if not output.is_map:
        return f"add flatten and {{op: linear, out: {size}}} after it to classify images"
    is_single = output.count == length
    steps = f"add {'flatten' if is_single else 'global_avg_pool'} after it{'' if is_single else ' to classify images'}"
    if classes and length != classes:
        param = _param_of(length, params)
        steps += f", with --set {param}={classes}" if param else f", and {{op: linear, out: {classes}}}"
    return steps if is_single else f"{steps}; segmentation (a class for each pixel) is not supported"


def _length_help(params: Collection[str], wrong: Mapping[str, TensorType], classes: int | None) -> str:
    """How outputs that are vectors come to the right length."""
    lengths = {each.sizes[0] for each in wrong.values()}
    param = _param_of(lengths.pop(), params) if len(lengths) == 1 else None
    return f"--set {param}={classes}" if param else f"its last layer needs out: {classes}"


def _param_of(length: int, params: Collection[str]) -> str | None:
    """The param that sets how many classes a network has, if its outputs are as long as it says."""
    for name in sorted(params, key=lambda each: (each != "classes", each)):
        value = params[name] if isinstance(params, Mapping) else length
        if value == length and (name == "classes" or (isinstance(params, Mapping) and "class" in name)):
            return name
    return None


def _sizes(outputs: Mapping[str, TensorType]) -> str:
    """The sizes of outputs, in one clause."""
    first, *others = (f"{name} is {each}" for name, each in outputs.items())
    first = first.removeprefix("output ")  # the name of one that nobody named
    return f"the network's output {first}{''.join(f', and {each}' for each in others)}"


class Norm(NamedTuple):
    """A normalisation over the batch: its node, the shape it reads, and how many values one image has in a channel."""

    node: str
    tensor: TensorType
    span: Span


def check_batches(recipe: Recipe, norms: Iterable[Norm], images: int | None = None) -> list[Diagnostic]:
    """Whether some batch has one value alone in a channel of a batch norm (E605): its variance would be 0.

    PyTorch raises `Expected more than 1 value per channel when training`. `images` are those of the training split,
    where they are known. A last batch of one image is left out of an epoch, and each of several processes has at least
    two images of a batch (E636), so it happens with a batch size of 1, or where there is one image.
    """
    if recipe.batch_size > 1 and images != 1:
        return []
    single = [each for each in norms if each.tensor.count == each.tensor.sizes[0]]
    if not single:
        return []
    first, others = single[0], len(single) - 1
    more = f" (and {others} more node{'s' if others > 1 else ''})" if others else ""
    of = f"batch_norm {first.node}{more} reads {first.tensor}: one value per channel and image"
    if recipe.batch_size == 1:
        message = f"batch_size 1 is too small: {of}, whose variance needs at least 2 images in a batch"
        help = "--set train.batch_size=2 is the least"
        place = recipe.places.get("batch_size") or first.span
    else:
        message = f"one training image is too few: {of}, whose variance needs at least 2 images in a batch"
        help, place = "add training images, or put fewer aside (validation)", first.span
    return [Diagnostic("E605", message, place, help=help)]


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
