"""Parameter groups: which parameters they match, and that their settings are applied."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch

import cnngraph
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source, Span
from cnngraph.lint.patterns import check_patterns
from cnngraph.lint.training import misfits
from cnngraph.recipe import load_recipe
from cnngraph.recipe.data import NamedSet
from cnngraph.recipe.freezing import Freeze
from cnngraph.recipe.optimizers import ParameterGroup, Sgd
from cnngraph.recipe.schedules import Step
from cnngraph.train.loop.optimizers import make_optimizer
from tests.train.support import RECIPE, run, small_network, train_graph

SPEC = """
cnngraph: 1
name: grouped
input: [1, 8, 8]
nodes:
  conv: {op: conv, out: 4, kernel: 3}
  layer: {repeat: 2, nodes: {conv: {op: conv, out: 4, kernel: 3, padding: half}, bn: batch_norm}}
  head: [flatten, {op: linear, out: 4}]
"""


@pytest.fixture
def network(tmp_path: Path) -> torch.nn.Module:
    (tmp_path / "grouped.yaml").write_text(SPEC)
    return cnngraph.build(str(tmp_path / "grouped.yaml"))


def grouped(network: torch.nn.Module, *groups: ParameterGroup) -> list[list[str]]:
    """The names of the parameters in each of an optimizer's groups."""
    names = {id(tensor): name for name, tensor in network.named_parameters()}
    made = make_optimizer(Sgd(lr=0.1, groups=groups), network, dict.fromkeys(names.values(), 0.0))
    return [[names[id(parameter)] for parameter in group["params"]] for group in made.param_groups]


@pytest.mark.parametrize(
    ("match", "names"),
    [
        ("batch_norm", ["layer.0.bn.weight", "layer.0.bn.bias", "layer.1.bn.weight", "layer.1.bn.bias"]),
        ("norm", ["layer.0.bn.weight", "layer.0.bn.bias", "layer.1.bn.weight", "layer.1.bn.bias"]),
        (("norm", "bias"), ["conv.bias", "layer.0.conv.bias", "layer.0.bn.weight", "layer.0.bn.bias",
                            "layer.1.conv.bias", "layer.1.bn.weight", "layer.1.bn.bias", "head.1.bias"]),
        ("layer.1", ["layer.1.conv.weight", "layer.1.conv.bias", "layer.1.bn.weight", "layer.1.bn.bias"]),
        ("head.*", ["head.1.weight", "head.1.bias"]),
        ("layer.*.conv.weight", ["layer.0.conv.weight", "layer.1.conv.weight"]),
        ("**.conv.bias", ["layer.0.conv.bias", "layer.1.conv.bias"]),
    ],
)  # fmt: skip
def test_which_parameters_a_group_matches(
    network: torch.nn.Module, match: str | tuple[str, ...], names: list[str]
) -> None:
    others, found = grouped(network, ParameterGroup(match=match))
    assert found == names
    assert sorted(others + found) == sorted(name for name, _ in network.named_parameters())


def test_only_the_last_matching_group_applies(network: torch.nn.Module) -> None:
    made = make_optimizer(
        Sgd(
            lr=0.1,
            weight_decay=0.5,
            groups=(ParameterGroup(match="bias", weight_decay=0.0), ParameterGroup(match="head", lr=0.3)),
        ),
        network,
        dict.fromkeys(dict(network.named_parameters()), 0.0),
    )
    said = [(group["initial_lr"], group["weight_decay"], len(group["params"])) for group in made.param_groups]
    assert said == [(0.1, 0.5, 5), (0.1, 0.0, 5), (0.3, 0.5, 2)]


def test_a_group_of_all_parameters(network: torch.nn.Module) -> None:
    assert len(grouped(network, ParameterGroup(match=("**",)))) == 1


def test_groups_have_their_own_learning_rates(tmp_path: Path) -> None:
    """Plain gradient steps: rate 0 keeps parameters unchanged, and the schedule applies to all groups."""
    network = small_network()
    before = {name: tensor.detach().clone() for name, tensor in network.named_parameters()}
    optimizer = Sgd(lr=0.1, groups=(ParameterGroup(match="0", lr=0.0), ParameterGroup(match="1", lr=0.2)))
    result = run(tmp_path, network=network, optimizer=optimizer, schedule=Step(every=1, divide=10))
    moved = {name for name, tensor in network.named_parameters() if not torch.equal(tensor, before[name])}
    assert moved == {"1.weight", "1.bias", "5.weight", "5.bias"}
    assert [epoch.learning_rate for epoch in result.epochs] == [0.1, pytest.approx(0.01)]


def test_groups_have_their_own_weight_decay(tmp_path: Path) -> None:
    """With a decay of 1 / rate a step removes a weight entirely, so parameters that keep their size have no decay."""
    network = small_network()
    optimizer = Sgd(lr=1e-3, weight_decay=1e3, groups=(ParameterGroup(match="1", weight_decay=0),))
    run(tmp_path, network=network, optimizer=optimizer, epochs=1)
    sizes = {name: float(tensor.detach().abs().mean()) for name, tensor in network.named_parameters()}
    assert sizes["0.weight"] < 0.01
    assert sizes["1.weight"] > 0.9


def test_groups_that_match_nothing(network: torch.nn.Module) -> None:

    groups = (ParameterGroup(match=("norm", "layer3.*")), ParameterGroup(match="batchnorm"))
    graph = network.graph
    assert isinstance(graph, cnngraph.Graph)
    place = Span(Source("recipe.yaml", ""), 3, 1, 3, 9)
    recipe = replace(RECIPE, optimizer=Sgd(lr=1, groups=groups), places={"optimizer.groups.0.match": place})
    first, second = check_patterns(recipe, graph)
    assert (first.code, first.message) == (
        "E614",
        "`optimizer.groups.0.match: layer3.*` matches no parameter of `grouped`",
    )
    assert second.help == "did you mean `batch_norm`?"
    assert (first.span, second.span) == (place, None)


def test_group_errors_are_raised_before_a_folder_is_created(tmp_path: Path, network: torch.nn.Module) -> None:
    recipe = replace(RECIPE, optimizer=Sgd(lr=1, groups=(ParameterGroup(match="conv2"),)))
    with pytest.raises(cnngraph.SpecError, match=r"groups\.0\.match: .* matches no parameter"):
        train_graph(network.graph, recipe, spec_text="", out=tmp_path / "run")  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


EFFECTS = """\
data: digits
epochs: 1
optimizer: {name: adam, groups: %s}
freeze: %s
"""


@pytest.mark.parametrize(
    ("groups", "freeze", "code", "message", "help"),
    [
        ("[]", "layr.1", "E614", "`freeze.0.match: layr.1` matches no parameter of `grouped`",
         "did you mean `layer.1`?"),
        ("[]", "[conv, {match: '**', exclude: haed}]", "E614",
         "`freeze.1.exclude: haed` matches no parameter of `grouped`", "did you mean `head`?"),
        ("[{match: head, lr: 0.1}, {match: '**', lr: 0.01}]", "none", "E614",
         "`optimizer.groups.0` has no effect: later entries match all its parameters",
         "put it last: of several entries that match a parameter, only the last one applies"),
        ("[]", "{match: layer, exclude: [conv, norm]}", "E614",
         "`freeze.0` has no effect: it excludes all its parameters", "narrow its `exclude`"),
        ("[]", "'**'", "E616", "`freeze` leaves no parameter of `grouped` to train",
         "leave out the last layer with `exclude: head`"),
        ("[]", "{match: '**', epochs: 1}", "E616",
         "`freeze` leaves no parameter of `grouped` to train in the first epoch",
         "leave out the last layer with `exclude: head`"),
        ("[]", "[{match: [conv, norm], epochs: 3}, {match: linear, epochs: 2}]", "E616",
         "`freeze` leaves no parameter of `grouped` to train in the first 2 epochs",
         "leave out the last layer with `exclude: head`"),
        ("[{match: bias, weight_decay: 0}]", "[norm, {match: conv, epochs: 1}]", "", "", ""),
    ],
)  # fmt: skip
def test_selections_that_cannot_be_meant(
    tmp_path: Path, network: torch.nn.Module, groups: str, freeze: str, code: str, message: str, help: str
) -> None:
    (tmp_path / "mine.yaml").write_text(EFFECTS % (groups, freeze))
    graph = network.graph
    assert isinstance(graph, cnngraph.Graph)
    recipe = replace(load_recipe(str(tmp_path / "mine.yaml")), data=NamedSet(name="digits", resize=(8, 8)))
    found = [error for error in misfits(recipe, graph) if error.code in ("E614", "E616")]
    assert [(error.code, error.message, error.help) for error in found] == ([(code, message, help)] if code else [])
    assert all(error.span and error.span.file.endswith("mine.yaml") for error in found)


def test_frozen_batch_norms_accept_single_images() -> None:
    """A batch norm in eval mode does not compute a variance over the batch."""
    text = SPEC.replace("head: [", "head: [global_avg_pool, batch_norm, ").replace("flatten, ", "")
    graph = compile_text(Source("net.yaml", text), Path()).graph
    assert graph
    recipe = replace(RECIPE, batch_size=1, data=NamedSet(name="digits", resize=(8, 8)))
    for freeze, codes in ((None, ["E605"]), (Freeze(match="norm", epochs=1), ["E605"]), (Freeze(match="norm"), [])):
        found = misfits(replace(recipe, freeze=(freeze,) if freeze else None), graph)
        assert [error.code for error in found if error.code == "E605"] == codes
