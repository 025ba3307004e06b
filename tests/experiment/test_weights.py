"""Experiments whose runs start from trained weights, which are adapted to each network."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import cnngraph
from cnngraph.diagnostics import Diagnostic, SpecError
from cnngraph.experiment.dry_run import dry_experiment
from cnngraph.experiment.mismatched_runs import mismatched_runs
from cnngraph.experiment.running import PrintingReporter, run_experiment
from cnngraph.experiment_plan.plan import Plan, check_plan, make_plan
from cnngraph.experiment_plan.reading import load_experiment
from cnngraph.train.data.data_reader import DataReader

OLD = """
cnngraph: 1
input: [1, 28, 28]
params: {width: 6}
nodes: {pool: {op: max_pool, kernel: 4}, flat: flatten, body: {op: linear, out: $width}, relu: relu,
  fc: {op: linear, out: 10}}
"""
VARIANTS = {
    "old": OLD,
    "renamed": OLD.replace("body:", "hidden:"),
    "wide": OLD.replace("width: 6", "width: 9"),
    "other": "cnngraph: 1\ninput: [1, 28, 28]\nnodes: [{op: conv, out: 10, kernel: 3}, global_avg_pool]\n",
}
RECIPE = "{data: digits, epochs: 1, batch_size: 500, optimizer: {name: sgd, lr: 1.0e-9}, device: cpu}"
EXPERIMENT = """
weights: w.safetensors
from: old.yaml
specs: [old.yaml, renamed.yaml, wide.yaml, {spec: old.yaml, weights: none, label: random}]
recipes: [mine.yaml]
seeds: 1
"""


@pytest.fixture
def state(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, torch.Tensor]:
    """The weights of the old network, in a folder with the variants."""
    monkeypatch.chdir(tmp_path)
    for name, text in {**VARIANTS, "mine": RECIPE}.items():
        Path(f"{name}.yaml").write_text(text)
    found = {key: torch.randn(shape) for key, shape in cnngraph.load("old.yaml").state.items()}
    save_file(found, "w.safetensors")
    return found


def planned(text: str = EXPERIMENT) -> Plan:
    Path("experiment.yaml").write_text(text)
    return make_plan(load_experiment("experiment.yaml"))


def errors(text: str) -> list[Diagnostic]:
    Path("experiment.yaml").write_text(text)
    return [item for item in check_plan(load_experiment("experiment.yaml")).diagnostics if item.is_error]


def run(plan: Plan) -> dict[str, dict[str, torch.Tensor]]:
    """The last weights by variant; the learning rate is too small to change them."""
    run_experiment(plan, Path("runs"), reporter=PrintingReporter(quiet=True))
    return {trial.variant: load_file(Path("runs") / trial.folder / "last.safetensors") for trial in plan.trials}


def test_every_variant_starts_from_the_adapted_weights(state: dict[str, torch.Tensor]) -> None:
    found = run(planned())
    torch.testing.assert_close(found["old"]["fc.weight"], state["fc.weight"], rtol=0, atol=1e-6)
    torch.testing.assert_close(found["renamed"]["hidden.weight"], state["body.weight"], rtol=0, atol=1e-6)
    torch.testing.assert_close(found["wide"]["body.weight"][6:], state["body.weight"][:3], rtol=0, atol=1e-6)
    assert float((found["random"]["fc.weight"] - state["fc.weight"]).abs().max()) > 0.1
    images = torch.randn(3, 1, 28, 28)
    models = {name: cnngraph.build(f"{name}.yaml") for name in ("old", "renamed", "wide")}
    for name, model in models.items():
        model.load_state_dict(found[name])
    for name in ("renamed", "wide"):
        torch.testing.assert_close(models[name](images), models["old"](images), rtol=1e-4, atol=1e-4)


def test_runs_are_kept_and_resumed(state: dict[str, torch.Tensor]) -> None:
    plan = planned()
    run(plan)
    assert mismatched_runs(plan, Path("runs")) == []
    states = {path: path.read_bytes() for path in Path("runs").glob("*/last.safetensors")}
    Path("w.safetensors").unlink()  # finished runs do not need it, and the file cannot be compared
    with pytest.raises(SpecError, match=r"cannot read w\.safetensors: file not found"):
        planned()
    run(plan)
    assert {path: path.read_bytes() for path in states} == states


def test_a_run_that_died_before_its_first_checkpoint_starts_from_the_same_weights(
    state: dict[str, torch.Tensor],
) -> None:
    plan = planned(EXPERIMENT.replace("old.yaml, renamed.yaml, ", ""))
    expected = run(plan)
    for folder in Path("runs").iterdir():
        for name in ("metrics.json", "state.pt", "last.safetensors", "best.safetensors"):
            (folder / name).unlink(missing_ok=True)
    for name, tensors in run(plan).items():
        for key, tensor in tensors.items():
            torch.testing.assert_close(tensor, expected[name][key], rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    "edit",
    [
        ("from: old.yaml\n", "from: old.yaml\nfresh: fc\n"),
        ("weights: w.safetensors\nfrom: old.yaml\n", ""),
        ("weights: w.safetensors", "weights: v.safetensors"),
        ("weights: none, ", ""),
    ],
)
def test_a_run_of_other_weights_is_an_error(state: dict[str, torch.Tensor], edit: tuple[str, str]) -> None:
    save_file({key: tensor + 1 for key, tensor in state.items()}, "v.safetensors")
    run(planned())
    found = mismatched_runs(planned(EXPERIMENT.replace(*edit)), Path("runs"))
    assert {item.code for item in found} == {"E662"}
    assert "was started from other weights than those of the experiment" in found[0].message
    Path("w.safetensors").rename("moved.safetensors")
    renamed = EXPERIMENT.replace("w.safetensors", "moved.safetensors")
    assert mismatched_runs(planned(renamed), Path("runs")) == []  # the same contents


def test_a_variant_that_keeps_nothing(state: dict[str, torch.Tensor]) -> None:
    (error,) = errors(EXPERIMENT.replace("specs: [", "specs: [other.yaml, "))
    assert (error.code, error.message) == ("E707", "`other` keeps none of the weights of `old`")
    assert "in 1 of 5 combinations: other" in error.notes
    assert error.span
    assert error.span.line == 3
    assert errors(EXPERIMENT.replace("specs: [", "specs: [{spec: other.yaml, weights: none}, ")) == []


@pytest.mark.parametrize(
    ("edit", "code", "message", "line"),
    [
        (("weights: w.safetensors\n", ""), "E605", "`from` needs `weights`: a file, or torchvision", 2),
        (("weights: w.safetensors", "weights: none"), "E605", "`from` has no effect on random weights", 2),
        (("from: old.yaml", "partial: true\nfrom: old.yaml"), "E605", "`partial` cannot be combined with `from`", 2),
        (("from: old.yaml", "classes: [1]"), "E605", "`classes` needs `from`", 2),
        (("from: old.yaml", "fresh: x\nfrom: old.yaml"), "E706", "`--fresh x` matches no weight of the network", 0),
        (("from: old.yaml", "classes: [1]\nfrom: old.yaml"), "E707", "1 classes are chosen, but", 0),
        (("weights: w.safetensors", "weights: no.safetensors"), "E704", "cannot read no.safetensors: file not", 2),
        (("from: old.yaml", "from: no.yaml"), "E101", "cannot read no.yaml", 0),
        (("from: old.yaml", "input_channels: all\nfrom: old.yaml"), "E603", "`input_channels` must be", 3),
        (("from: old.yaml", "form: old.yaml"), "E602", "has no key `form`", 3),
    ],
)
def test_errors(state: dict[str, torch.Tensor], edit: tuple[str, str], code: str, message: str, line: int) -> None:
    Path("experiment.yaml").write_text(EXPERIMENT.replace(*edit))
    with pytest.raises(SpecError) as raised:
        make_plan(load_experiment("experiment.yaml"))
    error = raised.value.diagnostics[0]
    assert error.code == code
    assert message in error.message
    assert not line or (error.span and error.span.line == line)


def test_weights_that_do_not_fit_are_found_before_the_first_run(state: dict[str, torch.Tensor]) -> None:
    plan = planned("weights: w.safetensors\nspecs: [old.yaml, wide.yaml]\nrecipes: [mine.yaml]\nseeds: 1\n")
    with pytest.raises(SpecError) as raised:
        run(plan)
    assert raised.value.diagnostics[0].code == "E706"
    assert "the initial weights of wide" in raised.value.diagnostics[0].notes
    assert not Path("runs").exists()
    with pytest.raises(SpecError, match="E706"):
        dry_experiment(plan, Path("runs"), DataReader(None, lambda text: None))


def test_keys_of_a_network_override_those_of_the_experiment(state: dict[str, torch.Tensor]) -> None:
    text = "weights: w.safetensors\nfresh: fc\nspecs: [old.yaml, {spec: wide.yaml, partial: true, fresh: relu}]\n"
    plan = planned(text.replace("relu", "fc") + "recipes: [mine.yaml]\nseeds: 1\n")
    chosen = {trial.variant: trial.weights for trial in plan.trials}
    assert (chosen["old"].partial, chosen["old"].fresh) == (False, ("fc",))
    assert (chosen["wide"].partial, chosen["wide"].fresh) == (True, ("fc",))
    with pytest.raises(SpecError, match="E706"):
        run(plan)  # nothing of the wide one fits


def test_a_record_of_what_was_chosen(state: dict[str, torch.Tensor]) -> None:
    run(planned())
    facts = json.loads(next(Path("runs").glob("wide*/environment.json")).read_text())["weights"]
    assert facts["file"] == "w.safetensors, migrated from old"
    assert (facts["chosen"]["from"], len(facts["chosen"]["weights"])) == ("old", 64)
