"""Checks, before the first batch, that a network fits the images it will be trained on."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from typing import NamedTuple, TypeAlias

from cnngraph.diagnostics import Diagnostic, Span
from cnngraph.document.flow import write_flow
from cnngraph.frozen import frozen
from cnngraph.numbers import show_sizes
from cnngraph.recipe.data import NamedSet, Normalize
from cnngraph.recipe.model import Recipe
from cnngraph.recipe.sets import SETS
from cnngraph.tensor_type import TensorType


@frozen
class ImageFacts:
    """What is known of images once they were read: their shape C×H×W, the number of classes and of training images."""

    shape: tuple[int, int, int]
    classes: int
    count: int | None = None


ReadImages: TypeAlias = Callable[[Recipe, TensorType], ImageFacts]  # of a network's input; raises SpecError


def check_images(recipe: Recipe, shape: tuple[int, int, int]) -> list[tuple[str, str]]:
    """What in a recipe does not fit images of a (resized) shape: the key, and the message."""
    channels, *size = shape
    problems = []
    crop, evaluation, normalize = recipe.augment.crop, recipe.evaluation, recipe.normalize
    if crop and _larger(crop, size):
        message = f"`augment.crop` {show_sizes(crop)} is larger than the image {show_sizes(size)}"
        problems.append(("augment", message))
    pad = recipe.augment.pad
    if recipe.augment.padding_mode == "reflect" and pad >= min(size):
        message = f"`augment.pad` {pad} with `padding_mode: reflect` must be smaller than the image {show_sizes(size)}"
        problems.append(("augment", message))
    if evaluation and evaluation.resize:
        size = [round(side * evaluation.resize / min(size)) for side in size]
    if evaluation and _larger(evaluation.crop, size):
        message = f"`evaluation.crop` {show_sizes(evaluation.crop)} is larger than the image {show_sizes(size)}"
        problems.append(("evaluation", message))
    if isinstance(normalize, Normalize) and len(normalize.mean) not in (1, channels):
        message = f"`normalize` has values for {len(normalize.mean)} channels, but the images have {channels}"
        problems.append(("normalize", message))
    return problems


def _larger(crop: Sequence[int], size: Sequence[int]) -> bool:
    return any(one > other for one, other in zip(crop, size, strict=True))


def image_shape(recipe: Recipe, shape: tuple[int, int, int]) -> tuple[int, int, int]:
    """The shape of the network's input for images of a shape, after resizing and cropping."""
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
    """The errors that prevent training a network with these inputs and outputs by the recipe.

    `shape` and `classes` are those of the images. They are known for named sets, but not for a folder that has not been
    read. Errors in the network are reported at `span`, or at `places`, the spans of the outputs; errors in the recipe
    at its key. `params` are the params that --set can change, with their values if known.
    """
    title = "the folder"
    if isinstance(recipe.data, NamedSet):
        known = SETS[recipe.data.name]
        title, shape = known.title, shape or known.shape
        classes = classes or len(recipe.data.classes or known.classes)
    found = _check_inputs(recipe, inputs, shape, title, span)
    if shape:
        sized = (shape[0], *(recipe.data.resize or shape[1:]))
        found += [Diagnostic("E605", message, recipe.places.get(key)) for key, message in check_images(recipe, sized)]
    found += _check_outputs(outputs, classes, title, params, dict.fromkeys(outputs, span) | dict(places or {}))
    weights = recipe.loss.class_weights
    if classes and isinstance(weights, tuple) and len(weights) != classes:
        message = f"`loss.class_weights` has {len(weights)} weights, but {title} has {classes} classes"
        help = f"give {classes} weights in the order of the classes, or use `balanced`"
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
        message = f"training needs a network with one input, but this one has {len(inputs)}: {names}"
        build = "build the network with `cnngraph.build` and write the training loop in Python"
        return [Diagnostic("E612", message, span, help=build)]
    if not shape:
        return []
    found, expected = image_shape(recipe, shape), next(iter(inputs.values()))
    evaluation = recipe.effective_evaluation
    if evaluation and evaluation.crop != found[1:]:
        message = (
            f"images are cropped to {show_sizes(evaluation.crop)} for evaluation, but to {show_sizes(found[1:])} for "
            "training; the network needs one size"
        )
        return [Diagnostic("E605", message, recipe.places.get("evaluation"))]
    if found == expected.sizes:
        return []
    shown = show_sizes(found)
    help: str | None = None
    if expected.rank == 3 and expected.channels == found[0]:
        key = "data.resize"
        if recipe.augment.random_resized_crop:
            key = "augment.random_resized_crop.size"
        elif recipe.augment.crop:
            key = "augment.crop"
        size = expected.sizes[1] if expected.sizes[1] == expected.sizes[2] else list(expected.sizes[1:])
        input_size = shown.replace("×", "x")
        help = f"change the images with `--set train.{key}={size}`, or the network with `--input {input_size}`"
    elif expected.rank == 3:
        help = f"use a network with `input: {write_flow(found)}`"
    message = f"the network expects {expected} images, but those of {title} are {shown}"
    return [Diagnostic("E610", message, span, help=help)]


def _check_outputs(
    outputs: Mapping[str, TensorType],
    classes: int | None,
    title: str,
    params: Collection[str],
    places: Mapping[str, Span | None],
) -> list[Diagnostic]:
    """Check that every output is a vector with one number per class, if the number of classes is known."""
    fixed = {name: output for name, output in outputs.items() if not output.batched}
    shapeless = {name: output for name, output in outputs.items() if output.rank != 1}
    wrong = {name: output for name, output in outputs.items() if classes and output.sizes != (classes,)}
    at = places.get(next(iter(fixed or shapeless or wrong), ""))
    if fixed:
        message = f"the network's output `{', '.join(fixed)}` is a parameter and does not depend on the image"
        return [Diagnostic("E611", message, at, help="use the output of a node that depends on the input")]
    if shapeless:
        first = next(iter(shapeless.values()))
        numbers = f"{classes} numbers, one" if classes else "one number"
        message = (
            f"an image classifier must output a vector with {numbers} per class, but "
            f"{_sizes({**shapeless, **wrong})}{', a map' if first.is_map else ''}"
        )
        return [Diagnostic("E611", message, at, help=_vector_help(first, classes, params))]
    if wrong:
        help = _length_help(params, wrong, classes)
        return [Diagnostic("E611", f"{title} has {classes} classes, but {_sizes(wrong)}", at, help=help)]
    return []


def _vector_help(output: TensorType, classes: int | None, params: Collection[str]) -> str:
    """How to turn an output of another rank into a vector with one number per class."""
    length, size = output.channels, classes or "the number of classes"
    if not output.is_map:
        return f"to classify images, add `flatten` and `{{op: linear, out: {size}}}` after it"
    is_single = output.count == length
    steps = "add `flatten` after it" if is_single else "to classify images, add `global_avg_pool` after it"
    if classes and length != classes:
        param = _param_of(length, params)
        steps += f", with `--set {param}={classes}`" if param else f", and `{{op: linear, out: {classes}}}`"
    return steps if is_single else f"{steps}; segmentation (one class per pixel) is not supported"


def _length_help(params: Collection[str], wrong: Mapping[str, TensorType], classes: int | None) -> str:
    """How to give outputs that are vectors the right length."""
    lengths = {output.sizes[0] for output in wrong.values()}
    param = _param_of(lengths.pop(), params) if len(lengths) == 1 else None
    return f"use `--set {param}={classes}`" if param else f"give its last layer `out: {classes}`"


def _param_of(length: int, params: Collection[str]) -> str | None:
    """The param that sets the number of classes of a network whose outputs have this length, or None."""
    for name in sorted(params, key=lambda param: (param != "classes", param)):
        value = params[name] if isinstance(params, Mapping) else length
        if value == length and (name == "classes" or (isinstance(params, Mapping) and "class" in name)):
            return name
    return None


def _sizes(outputs: Mapping[str, TensorType]) -> str:
    """The sizes of outputs, as a clause of a message."""
    first, *others = (f"`{name}` is {output}" for name, output in outputs.items())
    first = first.removeprefix("`output` ")  # the default name of a single output
    return f"the network's output {first}{''.join(f', and {other}' for other in others)}"


class Norm(NamedTuple):
    """A batch normalisation: its node, the type of its input, and the span of the node."""

    node: str
    tensor: TensorType
    span: Span


def check_batches(recipe: Recipe, norms: Iterable[Norm], images: int | None = None) -> list[Diagnostic]:
    """Check that every batch has more than one value per channel of a batch norm (E605): the variance would be 0.

    PyTorch raises `Expected more than 1 value per channel when training`. `images` is the number of training images, if
    known. A last batch of one image is skipped, and each of several processes has at least two images of a batch
    (E636), so this can only happen with a batch size of 1, or with a single training image.
    """
    if recipe.batch_size > 1 and images != 1:
        return []
    single = [norm for norm in norms if norm.tensor.count == norm.tensor.sizes[0]]
    if not single:
        return []
    first, others = single[0], len(single) - 1
    more = f" (and {others} more node{'s' if others > 1 else ''})" if others else ""
    reason = f"batch norm `{first.node}`{more} has one value per channel and image, and needs at least 2 per batch"
    if recipe.batch_size == 1:
        message = f"`batch_size` 1 is too small: {reason}"
        help = "use at least `--set train.batch_size=2`"
        place = recipe.places.get("batch_size") or first.span
    else:
        message = f"one training image is too few: {reason}"
        help, place = "add training images, or decrease `validation`", first.span
    return [Diagnostic("E605", message, place, help=help)]


def _check_auxiliary(recipe: Recipe, heads: list[str]) -> list[Diagnostic]:
    named = recipe.loss.auxiliary
    if not isinstance(named, Mapping):
        return []
    has = f"its auxiliary outputs are {', '.join(heads)}" if heads else "it has only one output"
    place = recipe.places.get("loss.auxiliary")
    return [
        Diagnostic(
            "E613", f"`loss.auxiliary` names `{head}`, which is not an auxiliary output of the network", place, help=has
        )
        for head in named
        if head not in heads
    ]
