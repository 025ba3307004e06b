"""What does not fit is said before the first batch."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from cnngraph.api import WARNINGS
from cnngraph.diagnostics import Source, Span
from cnngraph.recipe import Recipe, check_fit, fit
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.data import ImageFolder, NamedSet, Normalize
from cnngraph.recipe.model import Loss
from cnngraph.recipe.optimizers import Adam
from cnngraph.tensor_type import TensorType

MAP, VECTOR = TensorType.map, TensorType.vector
DIGITS = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam())
FOLDER = Recipe(data=ImageFolder(), epochs=1, optimizer=Adam())


def said(recipe: Recipe, image: TensorType, width: int = 10, **facts: object) -> list[str]:
    found = check_fit(recipe, {"in": image}, {"fc": VECTOR(width)}, **facts)  # type: ignore[arg-type]
    return [f"{each.code} {each.message}: {each.help}" for each in found]


def test_what_fits() -> None:
    assert said(DIGITS, MAP(1, 28, 28)) == []
    assert said(FOLDER, MAP(3, 224, 224), 4) == []
    assert said(FOLDER, MAP(3, 224, 224), 4, shape=(3, 224, 224), classes=4) == []


def test_sizes() -> None:
    (message,) = said(DIGITS, MAP(1, 32, 32))
    assert "E610 the network takes images of 1×32×32, MNIST has 1×28×28" in message
    assert "--set train.data.resize=32 makes the images fit, --input 1x28x28 the network" in message
    resized = Recipe(data=NamedSet(name="mnist", resize=(32, 32)), epochs=1, optimizer=Adam())
    assert said(resized, MAP(1, 32, 32)) == []
    cropped = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), augment=Augment(crop=(24, 24)))
    assert said(cropped, MAP(1, 24, 24)) == []
    assert "train.augment.crop=20" in said(cropped, MAP(1, 20, 20))[0]


def test_class_weights_are_as_many_as_the_classes() -> None:
    weighted = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=Loss(class_weights=(1.0, 2.0)))
    (message,) = said(weighted, MAP(1, 28, 28))
    assert message.startswith("E605 loss.class_weights has 2 weights, and MNIST has 10 classes")
    folder = Recipe(data=ImageFolder(), epochs=1, optimizer=Adam(), loss=Loss(class_weights=(1.0, 2.0)))
    assert said(folder, MAP(3, 8, 8), 2) == []


def test_what_is_wrong_with_the_recipe_is_said_where_its_word_stands() -> None:
    place, node = (Span(Source(name, ""), 3, 1, 3, 9) for name in ("recipe.yaml", "net.yaml"))
    words = "loss.class_weights", "loss.auxiliary"
    for word, loss in zip(words, (Loss(class_weights=(1.0, 2.0)), Loss(auxiliary={"aux": 0.3})), strict=True):
        recipe = Recipe(data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=loss, places={word: place})
        for each, wanted in ((recipe, place), (replace(recipe, places={}), None)):
            (found,) = check_fit(each, {"in": MAP(1, 28, 28)}, {"fc": VECTOR(10)}, span=node)
            assert found.span == wanted


def test_channels() -> None:
    (message,) = said(DIGITS, MAP(3, 28, 28))
    assert "takes images of 3×28×28, MNIST has 1×28×28: a network for these images has the input [1, 28, 28]" in message


def test_classes() -> None:
    (message,) = said(DIGITS, MAP(1, 28, 28), 1000)
    assert "E611 MNIST has 10 classes, but the network's output fc is 1000: --set classes=10" in message
    two = Recipe(data=NamedSet(name="mnist", classes=("3", "8")), epochs=1, optimizer=Adam())
    assert said(two, MAP(1, 28, 28), 2) == []


def test_all_outputs_are_told_in_one_message() -> None:
    outputs = {"logits": VECTOR(7), "aux": VECTOR(7)}
    place = Span(Source("net.yaml", "fc: linear"), 1, 1, 1, 3)
    (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, outputs, places={"logits": place}, params=["width"])
    assert found.message == "MNIST has 10 classes, but the network's output logits is 7, and aux is 7"
    assert (found.span, found.help) == (place, "its last layer needs out: 10")


def test_an_output_that_nobody_named_has_no_name() -> None:
    for name, said in (("output", "the network's output is 7"), ("logits", "the network's output logits is 7")):
        (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, {name: VECTOR(7)})
        assert found.message == f"MNIST has 10 classes, but {said}"


@pytest.mark.parametrize("output", [MAP(10, 1, 1), VECTOR(9)])
def test_logits_are_a_number_for_each_class(output: TensorType) -> None:
    (found,) = check_fit(DIGITS, {"in": MAP(1, 28, 28)}, {"fc": output})
    assert found.code == "E611"


def test_several_inputs() -> None:
    (found,) = check_fit(DIGITS, {"a": MAP(1, 28, 28), "b": MAP(1, 28, 28)}, {"fc": VECTOR(10)})
    assert (found.code, "this one has 2: a, b" in found.message) == ("E612", True)


def test_auxiliary_weights_name_outputs() -> None:
    recipe = Recipe(
        data=NamedSet(name="mnist"), epochs=1, optimizer=Adam(), loss=Loss(auxiliary={"aux1": 0.3, "aux3": 0.3})
    )
    outputs = {"logits": VECTOR(10), "aux1": VECTOR(10), "aux2": VECTOR(10)}
    (found,) = check_fit(recipe, {"in": MAP(1, 28, 28)}, outputs)
    assert (found.code, found.help) == ("E613", "it has aux1, aux2")


def test_a_folder_that_was_looked_into() -> None:
    assert "E611 the folder has 3 classes" in said(FOLDER, MAP(3, 8, 8), 4, shape=(3, 8, 8), classes=3)[0]
    wrong = Recipe(
        data=ImageFolder(),
        epochs=1,
        optimizer=Adam(),
        augment=Augment(crop=(16, 16)),
        normalize=Normalize(mean=(0.5,) * 3, std=(1.0,) * 3),
    )
    found = said(wrong, MAP(1, 16, 16), 2, shape=(1, 8, 8), classes=2)
    assert [each[:4] for each in found] == ["E605", "E605"]


def test_every_misfit_can_be_a_warning_of_check() -> None:
    text = Path(fit.__file__).read_text(encoding="utf-8")
    assert set(re.findall(r'"(E\d{3})"', text)) == set(WARNINGS)
