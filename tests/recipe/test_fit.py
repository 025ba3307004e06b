"""Networks and recipes that do not fit the images are reported before the first batch."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph.diagnostics import Severity, Source, Span
from cnngraph.lint.misfit import Misfit
from cnngraph.lint.rule import all_rules
from cnngraph.recipe import Recipe, check_fit
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.data import ImageFolder, NamedSet, Normalize
from cnngraph.recipe.fit import Norm, check_batches
from cnngraph.recipe.model import Loss
from cnngraph.recipe.optimizers import Adam
from cnngraph.tensor_type import TensorType

MAP, VECTOR = TensorType.map, TensorType.vector
DIGITS = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam())
FOLDER = Recipe(data=ImageFolder(), epochs=1, optimizer=Adam())


def reported(recipe: Recipe, image: TensorType, width: int = 10, **facts: object) -> list[str]:
    found = check_fit(recipe, {"in": image}, {"fc": VECTOR(width)}, **facts)  # type: ignore[arg-type]
    return [f"{diagnostic.code} {diagnostic.message}: {diagnostic.help}" for diagnostic in found]


def test_networks_that_fit() -> None:
    assert reported(DIGITS, MAP(1, 28, 28)) == []
    assert reported(FOLDER, MAP(3, 224, 224), 4) == []
    assert reported(FOLDER, MAP(3, 224, 224), 4, shape=(3, 224, 224), classes=4) == []


def test_sizes() -> None:
    (message,) = reported(DIGITS, MAP(1, 32, 32))
    assert "E610 the network expects 1×32×32 images, but those of MNIST are 1×28×28" in message
    assert "change the images with `--set train.data.resize=32`, or the network with `--input 1x28x28`" in message
    resized = Recipe(data=NamedSet(name="mnist", resize=(32, 32)), epochs=1, optimizer=Adam())
    assert reported(resized, MAP(1, 32, 32)) == []
    cropped = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), augment=Augment(crop=(24, 24)))
    assert reported(cropped, MAP(1, 24, 24)) == []
    assert "train.augment.crop=20" in reported(cropped, MAP(1, 20, 20))[0]


def test_the_number_of_class_weights_must_be_that_of_classes() -> None:
    weighted = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=Loss(class_weights=(1.0, 2.0)))
    (message,) = reported(weighted, MAP(1, 28, 28))
    assert message.startswith("E605 `loss.class_weights` has 2 weights, but MNIST has 10 classes")
    folder = Recipe(data=ImageFolder(), epochs=1, optimizer=Adam(), loss=Loss(class_weights=(1.0, 2.0)))
    assert reported(folder, MAP(3, 8, 8), 2) == []


def test_errors_of_the_recipe_are_reported_at_its_key() -> None:
    place, node = (Span(Source(name, ""), 3, 1, 3, 9) for name in ("recipe.yaml", "net.yaml"))
    keys = "loss.class_weights", "loss.auxiliary"
    for key, loss in zip(keys, (Loss(class_weights=(1.0, 2.0)), Loss(auxiliary={"aux": 0.3})), strict=True):
        located = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=loss, places={key: place})
        for recipe, expected in ((located, place), (replace(located, places={}), None)):
            (found,) = check_fit(recipe, {"in": MAP(1, 28, 28)}, {"fc": VECTOR(10)}, span=node)
            assert found.span == expected


def test_channels() -> None:
    (message,) = reported(DIGITS, MAP(3, 28, 28))
    assert "expects 3×28×28 images, but those of MNIST are 1×28×28: use a network with `input: [1, 28, 28]`" in message


def test_classes() -> None:
    (message,) = reported(DIGITS, MAP(1, 28, 28), 1000)
    assert "E611 MNIST has 10 classes, but the network's output `fc` is 1000: use `--set classes=10`" in message
    two = Recipe(data=NamedSet(name="mnist", classes=("3", "8")), epochs=1, optimizer=Adam())
    assert reported(two, MAP(1, 28, 28), 2) == []


def test_all_wrong_outputs_are_in_one_message() -> None:
    outputs = {"logits": VECTOR(7), "aux": VECTOR(7)}
    place = Span(Source("net.yaml", "fc: linear"), 1, 1, 1, 3)
    (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, outputs, places={"logits": place}, params=["width"])
    assert found.message == "MNIST has 10 classes, but the network's output `logits` is 7, and `aux` is 7"
    assert (found.span, found.help) == (place, "give its last layer `out: 10`")


def test_the_default_name_of_an_output_is_not_shown() -> None:
    for name, fact in (("output", "the network's output is 7"), ("logits", "the network's output `logits` is 7")):
        (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, {name: VECTOR(7)})
        assert found.message == f"MNIST has 10 classes, but {fact}"


POOL = "to classify images, add `global_avg_pool` after it"
UNSUPPORTED = "; segmentation (one class per pixel) is not supported"
LINEAR = "to classify images, add `flatten` and `{op: linear, out: 10}` after it"


@pytest.mark.parametrize(
    ("output", "params", "help"),
    [
        (MAP(10, 28, 28), {}, POOL + UNSUPPORTED),
        (MAP(2, 28, 28), {"classes": 2}, f"{POOL}, with `--set classes=10`{UNSUPPORTED}"),
        (MAP(10, 28, 28), {"classes": 10}, POOL + UNSUPPORTED),
        (MAP(20, 28, 28), {"classes": 10}, f"{POOL}, and `{{op: linear, out: 10}}`{UNSUPPORTED}"),
        (MAP(3, 28, 28), {}, f"{POOL}, and `{{op: linear, out: 10}}`{UNSUPPORTED}"),
        (MAP(10, 1, 1), {}, "add `flatten` after it"),
        (MAP(7, 1, 1), {"classes": 7}, "add `flatten` after it, with `--set classes=10`"),
        (TensorType.of((10, 49)), {}, LINEAR),
        (TensorType.of((10, 4, 5, 6)), {}, LINEAR),
        (VECTOR(9), {}, "give its last layer `out: 10`"),
        (VECTOR(9), {"classes": 9}, "use `--set classes=10`"),
        (VECTOR(9), {"num_classes": 9, "width": 9}, "use `--set num_classes=10`"),
        (VECTOR(20), {"classes": 10}, "give its last layer `out: 10`"),
        (VECTOR(1), {"width": 1}, "give its last layer `out: 10`"),
        (TensorType((10,), ("C",), batched=False), {}, "use the output of a node that depends on the input"),
    ],
)
def test_logits_must_have_one_number_per_class(output: TensorType, params: dict[str, int], help: str) -> None:
    """Following the help never leads to the same error: a param is named only if it alone sets the length."""
    (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, {"fc": output}, params=params)
    assert (found.code, found.help) == ("E611", help)


def test_maps_are_rejected_even_if_the_classes_are_unknown() -> None:
    (found,) = check_fit(FOLDER, {"in": MAP(1, 28, 28)}, {"logits": VECTOR(3), "mask": MAP(3, 28, 28)})
    assert (found.code, found.help) == ("E611", POOL + UNSUPPORTED)
    assert found.message == (
        "an image classifier must output a vector with one number per class, but the network's output "
        "`mask` is 3×28×28, a map"
    )
    (found,) = check_fit(FOLDER, {"in": MAP(1, 28, 28)}, {"logits": VECTOR(3), "mask": MAP(3, 28, 28)}, classes=4)
    assert "`mask` is 3×28×28, and `logits` is 3, a map" in found.message


def norm(*sizes: int) -> Norm:
    return Norm("bn", TensorType.of(sizes), Span(Source("net.yaml", "bn: batch_norm"), 1, 1, 1, 3))


@pytest.mark.parametrize(
    ("batch_size", "images", "sizes", "message"),
    [
        (1, None, (16,), "`batch_size` 1 is too small: batch norm `bn` has one value per channel and image"),
        (1, 100, (8, 1, 1), "`batch_size` 1 is too small: batch norm `bn` has one value"),
        (1, 100, (8, 1), "`batch_size` 1 is too small"),
        (8, 1, (16,), "one training image is too few: batch norm `bn` has one value"),
        (1, 100, (8, 1, 2), None),
        (2, 100, (16,), None),
        (8, 9, (16,), None),  # a last batch of one image is skipped
        (8, 2, (16,), None),
        (8, 1, (8, 3, 3), None),
    ],
)
def test_batch_norm_of_a_single_value(
    batch_size: int, images: int | None, sizes: tuple[int, ...], message: str | None
) -> None:
    found = check_batches(replace(DIGITS, batch_size=batch_size), [norm(*sizes)], images)
    assert [diagnostic.code for diagnostic in found] == (["E605"] if message else [])
    assert not message or found[0].message.startswith(message)
    normalized = torch.nn.BatchNorm1d(sizes[0]) if len(sizes) < 3 else torch.nn.BatchNorm2d(sizes[0])
    least = min(batch_size, images or batch_size)
    with pytest.raises(ValueError, match="more than 1 value") if message else nullcontext():
        normalized(torch.zeros(least, *sizes))


def test_several_inputs() -> None:
    (found,) = check_fit(DIGITS, {"a": MAP(1, 28, 28), "b": MAP(1, 28, 28)}, {"fc": VECTOR(10)})
    assert (found.code, "but this one has 2: a, b" in found.message) == ("E612", True)


def test_auxiliary_weights_name_outputs() -> None:
    recipe = Recipe(
        data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=Loss(auxiliary={"aux1": 0.3, "aux3": 0.3})
    )
    outputs = {"logits": VECTOR(10), "aux1": VECTOR(10), "aux2": VECTOR(10)}
    (found,) = check_fit(recipe, {"in": MAP(1, 28, 28)}, outputs)
    assert (found.code, found.help) == ("E613", "its auxiliary outputs are aux1, aux2")


def test_a_folder_with_known_images() -> None:
    assert "E611 the folder has 3 classes" in reported(FOLDER, MAP(3, 8, 8), 4, shape=(3, 8, 8), classes=3)[0]
    wrong = Recipe(
        data=ImageFolder(),
        epochs=1,
        optimizer=Adam(),
        augment=Augment(crop=(16, 16)),
        normalize=Normalize(mean=(0.5,) * 3, std=(1.0,) * 3),
    )
    found = reported(wrong, MAP(1, 16, 16), 2, shape=(1, 8, 8), classes=2)
    assert [text[:4] for text in found] == ["E605", "E605"]


TWO_INPUTS = "input: {a: [1, 28, 28], b: [1, 28, 28]}\nnodes: [{op: add, from: [a, b]}, flatten, {op: linear, out: 10}]"
MISFITS = {  # by the code of the warning: a network, and the keys of its recipe besides data, epochs and optimizer
    "W605": ("input: [1, 28, 28]\nnodes: [flatten, {op: linear, out: 10}]", "loss: {class_weights: [1, 2]}"),
    "W610": ("input: [1, 32, 32]\nnodes: [flatten, {op: linear, out: 10}]", ""),
    "W611": ("input: [1, 28, 28]\nnodes: [flatten, {op: linear, out: 7}]", ""),
    "W612": (TWO_INPUTS, ""),
    "W613": ("input: [1, 28, 28]\nnodes: [flatten, {op: linear, out: 10}]", "loss: {auxiliary: {aux: 0.3}}"),
    "W614": ("input: [1, 28, 28]\nnodes: [flatten, {op: linear, out: 10}]", "checkpoint: [nowhere]"),
    "W616": ("input: [1, 28, 28]\nnodes: [flatten, {op: linear, out: 10}]", "freeze: linear"),
}


@pytest.mark.parametrize("code", MISFITS)
def test_a_spec_that_does_not_fit_its_own_recipe_gets_a_warning(code: str, tmp_path: Path) -> None:
    network, more = MISFITS[code]
    recipe = f"{{data: mnist, epochs: 1, optimizer: {{name: adam}}{', ' * bool(more)}{more}}}"
    (tmp_path / "net.yaml").write_text(f"cnngraph: 1\n{network}\ntrain: {recipe}\n")
    (found,) = cnngraph.check(tmp_path / "net.yaml")
    assert found.code == code
    assert found.severity is Severity.WARNING


def test_every_misfit_has_its_warning() -> None:
    assert set(MISFITS) == {rule.code for rule in all_rules() if isinstance(rule, Misfit)}
