"""Reading recipes: every error has its place, and a fix if one is likely."""

from __future__ import annotations

import pytest

from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.document import Table, parse
from cnngraph.recipe import Recipe, read_recipe, to_yaml
from cnngraph.recipe.augment import Augment
from cnngraph.recipe.clipping import Clip
from cnngraph.recipe.data import ImageFolder, NamedSet, Normalize
from cnngraph.recipe.optimizers import AdamW, ParameterGroup, RmsProp, Sgd
from cnngraph.recipe.schedules import OneCycle, Step, Warmup

LEAST = "data: digits\nepochs: 3\noptimizer: adam\n"


def read(text: str) -> tuple[Recipe | None, list[Diagnostic]]:
    value, diagnostics = parse(Source("recipe.yaml", text))
    assert isinstance(value, Table)
    assert not diagnostics
    return read_recipe(value, name="mine")


def valid(text: str) -> Recipe:
    recipe, diagnostics = read(text)
    assert not diagnostics
    assert recipe
    return recipe


def test_the_minimal_recipe() -> None:
    recipe = valid(LEAST)
    assert recipe.name == "mine"
    assert recipe.data == NamedSet(name="digits")
    assert (recipe.epochs, recipe.batch_size, recipe.validation, recipe.optimizer.lr) == (3, 64, 0.1, 0.001)
    assert recipe.mean_and_std(1) == ((0.1307,), (0.3081,))


def test_every_kind_of_value() -> None:
    text = """
        about: All of it.
        data: {name: cifar10, classes: [bird, airplane], resize: [48, 40]}
        epochs: 5
        batch_size: 16
        optimizer: {name: sgd, lr: 1e-2, momentum: 0.9, nesterov: true, weight_decay: 0.0005}
        schedule: {name: step, at: [2, 4], divide: 5}
        validation: 0.25
        normalize: {mean: [0.5, 0.5, 0.5], std: [0.2, 0.2, 0.2]}
        augment: {pad: 4, crop: [44, 36], flip: true}
        loss: {auxiliary: {aux1: 0.3, aux2: 0}}
        seed: 7
        device: cpu
    """
    recipe = valid(text)
    assert recipe.data == NamedSet(name="cifar10", classes=("bird", "airplane"), resize=(48, 40))
    assert recipe.optimizer == Sgd(lr=0.01, momentum=0.9, nesterov=True, weight_decay=0.0005)
    assert recipe.schedule == Step(at=(2, 4), divide=5)
    assert recipe.normalize == Normalize(mean=(0.5,) * 3, std=(0.2,) * 3)
    assert recipe.augment == Augment(pad=4, crop=(44, 36), flip=True)
    assert recipe.loss.auxiliary == {"aux1": 0.3, "aux2": 0.0}
    assert (recipe.validation, recipe.seed, recipe.device) == (0.25, 7, "cpu")


@pytest.mark.parametrize("word", ["none", "null", "~"])
def test_none(word: str) -> None:
    recipe = valid(LEAST + f"validation: {word}\nnormalize: {word}\n")
    assert recipe.validation is None
    assert recipe.mean_and_std(1) is None


def test_class_names_may_be_numbers() -> None:
    data = valid("data: {name: mnist, classes: [3, 8]}\nepochs: 1\noptimizer: adam").data
    assert data.classes == ("3", "8")


def test_mean_and_std_per_channel() -> None:
    folder = valid("data: folder\nepochs: 1\noptimizer: adam")
    assert isinstance(folder.data, ImageFolder)
    assert folder.measures
    photos = valid("data: folder\nepochs: 1\noptimizer: adam\nnormalize: imagenet")
    assert not photos.measures
    assert photos.mean_and_std(3) == ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    grey = photos.mean_and_std(1)
    assert grey
    assert sum(grey[0]) == pytest.approx(0.449)
    one = valid(LEAST + "normalize: {mean: [0.5], std: [0.25]}").mean_and_std(3)
    assert one == ((0.5,) * 3, (0.25,) * 3)


@pytest.mark.parametrize(
    ("text", "code", "place", "message", "help"),
    [
        ("epoch: 3", "E602", (1, 1), "a recipe has no key `epoch`", "did you mean `epochs`?"),
        ("lr: 3", "E602", (1, 1), "a recipe has no key `lr`", "did you mean `optimizer: {lr: …}`?"),
        (
            "label_smoothing: 0.1",
            "E602",
            (1, 1),
            "a recipe has no key `label_smoothing`",
            "did you mean `loss: {label_smoothing: …}`?",
        ),
        ("patience: 3", "E602", (1, 1), "a recipe has no key `patience`", "did you mean `early_stopping`?"),
        ("colour: 3", "E602", (1, 1), "a recipe has no key `colour`", "its keys are `about`, `data`, "),
        ("optimizer: {name: sgd, lr: 1, betas: [0, 0]}", "E602", (1, 31), "`optimizer: sgd` has no key `betas`", ""),
        (
            "optimizer: {name: adam, lrr: 1}",
            "E602",
            (1, 25),
            "`optimizer: adam` has no key `lrr`",
            "did you mean `lr`?",
        ),
        (
            "optimizer: {name: adan}",
            "E603",
            (1, 19),
            "must be one of sgd, adam, adamw, rmsprop",
            "did you mean `adam`?",
        ),
        ("optimizer: adan", "E603", (1, 12), "must be one of sgd, adam, adamw", "did you mean `adam`?"),
        ("optimizer: {lr: 1}", "E604", (1, 12), "`optimizer` needs `name`: one of sgd, adam, adamw", ""),
        ("optimizer: sgd", "E604", (1, 12), "`optimizer: sgd` needs `lr`", ""),
        (
            "optimizer: {name: sgd, lr: 0}",
            "E603",
            (1, 28),
            "`optimizer.lr` must be a number above 0 (from 1e-30 to 1e+30), got `0`",
            "",
        ),
        ("optimizer: {name: sgd, lr: .inf}", "E603", (1, 28), "`optimizer.lr` must be a number above 0", ""),
        (
            "optimizer: {name: adam, betas: [0.9]}",
            "E603",
            (1, 32),
            "`optimizer.betas` must be a list of two items, each",
            "",
        ),
        ("optimizer: {name: sgd, lr: 1, nesterov: true}", "E605", (1, 41), "`nesterov` needs a `momentum` above 0", ""),
        (
            "optimizer: {name: rmsprop, alpha: 1}",
            "E603",
            (1, 35),
            "`optimizer.alpha` must be a number of at least 0",
            "",
        ),
        ("optimizer: {name: adam, groups: [{match: a}, {mtach: b}]}", "E602", (1, 47), "has no key `mtach`", "match"),
        (
            "optimizer: {name: adam, groups: [{lr: -1, match: a}]}",
            "E603",
            (1, 39),
            "`optimizer.groups.0.lr` must be 0, or a number from 1e-30",
            "",
        ),
        (
            "optimizer: {name: adam, groups: [bias]}",
            "E603",
            (1, 34),
            "`optimizer.groups.0` must be a mapping, got `bias`",
            "",
        ),
        (
            "optimizer: {name: adam, groups: bias}",
            "E603",
            (1, 33),
            "`optimizer.groups` must be a list of at most 100, each a mapping",
            "",
        ),
        ("optimizer: {name: sgd, lr: 1, dampening: 0.5}", "E605", (1, 42), "`dampening` needs a `momentum`", ""),
        (
            "optimizer: {name: sgd, lr: 1, momentum: 0.9, nesterov: true, dampening: 0.1}",
            "E605",
            (1, 56),
            "`nesterov` cannot be combined with `dampening`",
            "",
        ),
        ("schedule: step", "E605", (1, 11), "the schedule `step` needs `every` or `at`", ""),
        (
            "schedule: {name: step, every: 2, at: [3]}",
            "E605",
            (1, 38),
            "has both `every` and `at`; remove one of them",
            "",
        ),
        ("schedule: {name: step, at: 5}", "E603", (1, 28), "`schedule.at` must be a list", "write `at: [5]`"),
        ("schedule: plateua", "E603", (1, 11), "one_cycle, plateau", "did you mean `plateau`?"),
        ("schedule: exponential", "E604", (1, 11), "`schedule: exponential` needs `gamma`", ""),
        ("warmup: {start: 0.1}", "E605", (1, 17), "`warmup` needs `epochs` or `steps`", ""),
        ("warmup: {epochs: 1, steps: 3}", "E605", (1, 28), "`warmup` has both `epochs` and `steps`", ""),
        ("warmup: {epochs: 3}", "E605", (1, 9), "`warmup` takes 3 epochs, but the run has only 3", ""),
        ("warmup: 3", "E603", (1, 9), "`warmup` must be a mapping, or none, got `3`", "write `warmup: {epochs: 3}`"),
        ('optimizer: {name: sgd, lr: "0.01"}', "E603", (1, 28), '1e+30), got `"0.01"`', "write it without quotes"),
        ("optimizer: {type: adam}", "E602", (1, 13), "`optimizer` has no key `type`", "write `name` instead of `type`"),
        ("epochs: 10,000", "E603", (1, 9), "got `10,000`", "write `10000`"),
        ("epochs: 1.0", "E603", (1, 9), "got `1.0`", "write `1`"),
        ("validation: 0", "E603", (1, 13), "or none, got `0`", "write `validation: none`"),
        (
            "loss: cross_entropy",
            "E603",
            (1, 7),
            "`loss` must be a mapping",
            "for example `loss: {label_smoothing: 0.0}`",
        ),
        (
            "augment: [flip]",
            "E603",
            (1, 10),
            "`augment` must be a mapping, got `[flip]`",
            "write `augment: {flip: true}`",
        ),
        ("precision: float16", "E603", (1, 12), "got `float16`", "did you mean `fp16`?"),
        ("clip: {}", "E605", (1, 7), "`clip` needs `norm` or `value`", ""),
        ("clip: {norm: 1, value: 2}", "E605", (1, 24), "`clip` has both `norm` and `value`", ""),
        ("clip: 1.0", "E603", (1, 7), "`clip` must be a mapping, or none, got `1.0`", "write `clip: {norm: 1.0}`"),
        ("clip: {norm: 0}", "E603", (1, 14), "`clip.norm` must be a number above 0", ""),
        ("accumulate: 0", "E603", (1, 13), "`accumulate` must be an integer from 1 to 1,000,000", ""),
        ("ema: 1", "E603", (1, 6), "`ema` must be a number between 0 and 1, or none", ""),
        ("early_stopping: 0", "E603", (1, 17), "`early_stopping` must be an integer from 1 to 1,000,000, or none", ""),
        ("precision: fp8", "E603", (1, 12), "`precision` must be one of fp32, bf16, fp16", ""),
        ("loss: {label_smoothing: 2}", "E603", (1, 25), "`loss.label_smoothing` must be a number from 0 to 1", ""),
        ("loss: {class_weights: balance}", "E603", (1, 23), "`loss.class_weights` must be balanced, or a list", ""),
        ("loss: {class_weights: [0, 0]}", "E605", (1, 23), "all `loss.class_weights` are 0", ""),
        ("epochs: 2.5", "E603", (1, 9), "`epochs` must be an integer from 1 to 1,000,000, got `2.5`", ""),
        ("epochs: no", "E603", (1, 9), "`epochs` must be an integer from 1 to 1,000,000, got `no`", ""),
        ("validation: 1", "E603", (1, 13), "`validation` must be a number between 0 and 1, or none, got `1`", ""),
        ("data: minst", "E603", (1, 7), "`data` must be one of digits, mnist", "did you mean `mnist`?"),
        ("data: {name: mnist, path: x}", "E602", (1, 21), "`data: mnist` has no key `path`", ""),
        ("data: {name: cifar10, classes: [brid, cat]}", "E605", (1, 32), "has no class `brid`", ""),
        ("data: {name: cifar10, classes: [cat, cat]}", "E605", (1, 32), "class `cat` is listed twice", ""),
        (
            "normalize: {mean: [0.5], std: [0.5, 0.5]}",
            "E605",
            (1, 31),
            "one mean and one std per channel, got 1 and 2",
            "",
        ),
        (
            "normalize: {mean: [0.5], std: [0]}",
            "E603",
            (1, 31),
            "`normalize.std` must be a number above 0 (from 1e-06 to 1e+06), got `0`",
            "",
        ),
        ("normalize: imagnet", "E603", (1, 12), "`normalize` must be one of data", ""),
        ("augment: {pad: 4}", "E605", (1, 16), "`augment.pad` needs `augment.crop`", ""),
        ("augment: {crop: 20, padding_mode: reflect}", "E605", (1, 35), "has no effect without `augment.pad`", ""),
        ("augment: {crop: 20, pad: 4, padding_mode: mirror}", "E603", (1, 43), "must be one of zeros, reflect", ""),
        (
            "augment: {crop: 20, pad: 28, padding_mode: reflect}",
            "E605",
            (1, 10),
            "must be smaller than the image 28×28",
            "",
        ),
        ("augment: {crop: 32}", "E605", (1, 10), "`augment.crop` 32×32 is larger than the image 28×28", ""),
        (
            "augment: {crop: 20, pad: 20}",
            "E605",
            (1, 26),
            "`augment.pad` 20 is at least as large as `augment.crop`",
            "",
        ),
        ("evaluation: {crop: 28, resize: 113}", "E605", (1, 32), "`evaluation.resize` 113 is more than 4 times", ""),
        ("schedule: {name: exponential, gamma: 100}\nepochs: 9", "E605", (1, 11), "learning rate by 10^16", ""),
        ("augment: flip", "E603", (1, 10), "`augment` must be a mapping, got `flip`", ""),
        ("loss: {auxiliary: {aux1: -1}}", "E603", (1, 19), "`loss.auxiliary` must be 0, or a number", ""),
        ("seed: -1", "E603", (1, 7), "`seed` must be an integer of at least 0, got `-1`", ""),
        ("device: gpu", "E603", (1, 9), "`device` must be one of auto, cpu, cuda, got `gpu`", "did you mean `cuda`?"),
    ],
)
def test_one_error_gives_one_message(text: str, code: str, place: tuple[int, int], message: str, help: str) -> None:
    words = [line.partition(":")[0] for line in text.splitlines()]
    rest = "".join(line for line in LEAST.splitlines(keepends=True) if line.partition(":")[0] not in words)
    recipe, (diagnostic,) = read(f"{text}\n{rest}")
    assert recipe is None
    assert (diagnostic.code, (diagnostic.line, diagnostic.column)) == (code, place)
    assert message in diagnostic.message
    assert help in (diagnostic.help or "")


@pytest.mark.parametrize("text", ["epochs: 2.5", "epochs: 2*3"])
def test_helps_do_not_mention_expressions(text: str) -> None:
    _, (diagnostic,) = read(f"data: digits\noptimizer: adam\n{text}\n")
    assert diagnostic.help is None


def test_a_recipe_knows_the_places_of_its_values() -> None:
    recipe = valid("data: digits\nepochs: 1\noptimizer:\n  name: adam\n  groups:\n  - match: bias\n")
    assert {word: place.line for word, place in recipe.places.items() if place.line > 3} == {
        "optimizer": 4, "optimizer.name": 4, "optimizer.groups": 6, "optimizer.groups.0": 6,
        "optimizer.groups.0.match": 6,
    }  # fmt: skip


def test_all_errors_are_reported_at_once() -> None:
    _, diagnostics = read("dtaa: mnist\nepochs: 0\noptimizer: {name: sgd, rate: 1}\nseed: x\n")
    reported = [(diagnostic.code, diagnostic.line) for diagnostic in diagnostics]
    assert reported == [("E602", 1), ("E603", 2), ("E602", 3), ("E604", 3), ("E603", 4)]


def test_missing_keys() -> None:
    _, diagnostics = read("about: nothing yet\n")
    assert [diagnostic.code for diagnostic in diagnostics] == ["E604"] * 3
    assert [diagnostic.message.partition(":")[0] for diagnostic in diagnostics] == [
        "a recipe needs `data`", "a recipe needs `epochs`", "a recipe needs `optimizer`",
    ]  # fmt: skip


@pytest.mark.parametrize(
    "text",
    [
        LEAST,
        'about: "yes: it # is"\n' + LEAST + "validation: none\nnormalize: none\n",
        "data: {name: folder, path: my photos, resize: 64}\nepochs: 1\noptimizer: adamw\n"
        "schedule: {name: cosine, final: 0.01}\nloss: {auxiliary: {aux1: 0.4}}\n",
        LEAST.replace(
            "adam", "{name: rmsprop, groups: [{match: [norm, bias], weight_decay: 0}, {match: head, lr: 1}]}"
        ),
        "data: {name: mnist, classes: [3, 8]}\nepochs: 1\noptimizer: {name: sgd, lr: 1e-5}\naugment: {flip: true}\n",
    ],
)
def test_writing_and_reading_a_recipe_gives_the_same_recipe(text: str) -> None:
    recipe = valid(text)
    assert valid(to_yaml(recipe)) == recipe


def test_plateau_needs_a_validation_split() -> None:
    _, (diagnostic,) = read(LEAST + "validation: none\nschedule: plateau\n")
    assert diagnostic.code == "E605"
    assert diagnostic.line == 5
    assert "`plateau` needs a validation split, but `validation` is `none`" in diagnostic.message


def test_early_stopping_needs_a_validation_split() -> None:
    _, (diagnostic,) = read(LEAST + "validation: none\nearly_stopping: 3\n")
    assert (diagnostic.code, diagnostic.line) == ("E605", 5)
    assert "`early_stopping` needs a validation split" in diagnostic.message


def test_checkpoint_cannot_be_combined_with_compile() -> None:
    _, (diagnostic,) = read(LEAST + "compile: true\ncheckpoint: layer*\n")
    assert (diagnostic.code, diagnostic.line) == ("E605", 5)


def test_options_of_the_training_loop() -> None:
    text = (
        "accumulate: 2\nclip: {norm: 5}\nema: 0.999\nearly_stopping: 4\nprecision: fp16\ndeterministic: false\n"
        "checkpoint: [layer1.*, layer2.*]\nloss: {label_smoothing: 0.1, class_weights: balanced}\n"
    )
    recipe = valid(LEAST + text)
    assert (recipe.accumulate, recipe.clip, recipe.ema, recipe.early_stopping) == (2, Clip(norm=5.0), 0.999, 4)
    assert (recipe.precision, recipe.deterministic, recipe.compile) == ("fp16", False, False)
    assert recipe.checkpointed == ("layer1.*", "layer2.*")
    assert (recipe.loss.label_smoothing, recipe.loss.class_weights) == (0.1, "balanced")
    assert valid(to_yaml(recipe)) == recipe
    one = valid(LEAST + "checkpoint: layer1\nloss: {class_weights: [1, 2]}\n")
    assert (one.checkpointed, one.loss.class_weights) == (("layer1",), (1.0, 2.0))
    assert valid(LEAST).checkpointed == ()


def test_warmup() -> None:
    recipe = valid(LEAST + "warmup: {steps: 400, start: 0.1, shape: constant}\nschedule: one_cycle\n")
    assert recipe.warmup == Warmup(steps=400, start=0.1, shape="constant")
    assert recipe.schedule == OneCycle()
    assert valid(LEAST + "warmup: none\n").warmup is None
    assert valid(to_yaml(recipe)) == recipe


def test_groups() -> None:
    text = "{name: rmsprop, centered: true, groups: [{match: [norm, bias], weight_decay: 0}, {match: head.*, lr: 1}]}"
    groups = (ParameterGroup(match=("norm", "bias"), weight_decay=0.0), ParameterGroup(match="head.*", lr=1.0))
    optimizer = valid(LEAST.replace("adam", text)).optimizer
    assert optimizer == RmsProp(centered=True, groups=groups)
    assert [group.matches for group in optimizer.groups] == [("norm", "bias"), ("head.*",)]


def test_adamw_has_a_default_weight_decay() -> None:
    assert valid("data: digits\nepochs: 1\noptimizer: adamw").optimizer == AdamW(weight_decay=0.01)


@pytest.mark.parametrize("number", ["1e12", "2e9", "1000001.0", "0.0", "-3.0"])
def test_a_suggested_number_is_within_bounds(number: str) -> None:
    """`1.0` probably means 1; a number that would be invalid as an integer, too, is not suggested."""
    diagnostic, *_ = read(f"epochs: {number}")[1]
    assert diagnostic.code == "E603"
    assert "write" not in (diagnostic.help or "")
