"""`cnngraph migrate`, and --from of build and train."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import cnngraph
from tests.cli.conftest import Cli

OLD = """\
cnngraph: 1
input: [1, 28, 28]
params: {classes: 10}
nodes:
  conv: {op: conv, out: 8, kernel: 5, stride: 2}
  bn: batch_norm
  relu: relu
  pool: global_avg_pool
  fc: {op: linear, out: $classes}
"""
NEW = OLD.replace(
    "  pool:",
    """\
  more:
    nodes: {conv: {op: conv, out: 8, kernel: 3, padding: half}, bn: batch_norm, sum: {op: add, from: [bn, in]}}
  pool:""",
)


@pytest.fixture
def specs(folder: Path) -> Path:
    """A folder with two specs, and weights of the first."""
    (folder / "old.yaml").write_text(OLD)
    (folder / "new.yaml").write_text(NEW)
    torch.manual_seed(0)
    save_file(cnngraph.build("old.yaml").state_dict(), "old.safetensors")
    return folder


def test_the_plan_the_measured_difference_and_the_file(cli: Cli, specs: Path) -> None:
    ran = cli("migrate", "old.yaml", "new.yaml", "old.safetensors", "-o", "new.safetensors")
    assert (ran.code, ran.err) == (0, "")
    lines = ran.out.splitlines()
    assert lines[0].split() == ["block", "weights", "copied", "renamed", "adapted", "fresh", "dropped"]
    assert [line.split() for line in lines[1:5]] == [
        ["conv", "2", "2"],
        ["bn", "5", "5"],
        ["more", "7", "7"],
        ["fc", "2", "2"],
    ]
    assert "fresh    more.conv: initialised as usual: what follows starts at 0" in lines
    assert "fresh    more.bn: 0, so that the branch adds nothing" in lines
    assert lines[-4] == "output: function preserved in eval mode"
    assert lines[-3].startswith("  measured at output: maximum difference 0, where the largest value is ")
    assert lines[-2:] == ["old → new: 16 weights: 9 copied, 7 fresh", "wrote new.safetensors"]
    found = load_file("new.safetensors")
    assert {key: tuple(tensor.shape) for key, tensor in found.items()} == dict(cnngraph.load("new.yaml").state)
    assert torch.equal(found["conv.weight"], load_file("old.safetensors")["conv.weight"])


def test_json_with_and_without_weights(cli: Cli, specs: Path) -> None:
    planned = json.loads(cli("migrate", "old.yaml", "new.yaml", "--format", "json").out)
    assert planned["outputs"][0]["difference"] is None
    done = json.loads(
        cli("migrate", "old.yaml", "new.yaml", "old.safetensors", "-o", "new.safetensors", "--format", "json").out
    )
    assert (done["weights"], done["written"]) == ("old.safetensors", "new.safetensors")
    assert done["outputs"][0]["difference"] == 0.0
    assert done["tensors"] == planned["tensors"]
    assert done["counts"] == {"copied": 9, "renamed": 0, "adapted": 0, "fresh": 7, "dropped": 0}


def test_a_plan_needs_no_pytorch(specs: Path) -> None:
    code = (
        "import sys; from cnngraph.cli.process import run\n"
        "code = run(['migrate', 'old.yaml', 'new.yaml'])\n"
        "sys.exit(code or ('torch' in sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    assert "function preserved" in ran.stdout


@pytest.mark.parametrize(
    ("arguments", "code", "message"),
    [
        (["old.yaml", "new.yaml", "-o", "x.safetensors"], 2, "there is nothing to write without WEIGHTS"),
        (["old.yaml", "new.yaml", "old.safetensors", "-o", "old.safetensors"], 2, "is the file with the old weights"),
        (["old.yaml", "new.yaml", "old.safetensors", "-o", "x.pth"], 2, "x.pth must end in .safetensors"),
        (["old.yaml", "new.yaml", "old.safetensors", "--classes", "3-1"], 2, "3-1 is not a class such as 3"),
        (["old.yaml", "new.yaml", "nowhere.pth"], 1, "error[E704]: cannot read nowhere.pth: file not found"),
        (["new.yaml", "old.yaml", "old.safetensors"], 1, "error[E706]: old.safetensors does not fit new"),
        (["old.yaml", "new.yaml", "old.safetensors", "--classes", "0-8"], 1, "9 classes are chosen, but `fc` has 10"),
    ],
)
def test_errors(cli: Cli, specs: Path, arguments: list[str], code: int, message: str) -> None:
    ran = cli("migrate", *arguments)
    assert ran.code == code
    assert message in ran.err
    assert sorted(path.name for path in specs.iterdir()) == ["new.yaml", "old.safetensors", "old.yaml"]


STEM = "  conv: {op: conv, out: 8, kernel: 5, stride: 2}"


@pytest.mark.parametrize(
    ("edit", "changes"),
    [
        (("classes: 10", "classes: 5"), ["fresh    fc: initialised as usual: 10 → 5 outputs", "because fc is fresh"]),
        (("relu: relu", "relu: silu"), ["because relu is silu instead of relu; up to bn the function is preserved"]),
        ((STEM, STEM.replace("stride: 2", "stride: 1")), ["because of conv: stride 2×2 → 1×1"]),
        ((STEM, STEM.replace("kernel: 5", "kernel: 7")), ["centred, without more padding"]),
        (
            ("bn: batch_norm", "bn: {op: group_norm, num_groups: 4}"),
            [
                "dropped  bn (running_mean, running_var, num_batches_tracked): group_norm has none",
                "because bn is group_norm instead of",
            ],
        ),
        (("  bn: batch_norm", "  norm: {nodes: {bn: batch_norm}}"), ["renamed  norm.bn: was bn\n"]),
        (
            (
                f"{STEM}\n  bn: batch_norm",
                "  stem: {nodes: {conv: {op: conv, out: 8, kernel: 5, stride: 2}, bn: batch_norm}}",
            ),
            ["renamed  stem.conv: was conv\nrenamed  stem.bn: was bn\n", "output: function preserved"],
        ),
        (
            ("out: 8", "out: 16"),
            ["adapted  conv: widened 8 → 16\nadapted  bn: widened 8 → 16\n", "fc (weight): inputs"],
        ),
        (("[1, 28, 28]", "[2, 28, 28]"), ["adapted  conv (weight): input channels 1 → 2 (cycle)"]),
        (
            (
                "  pool:",
                "  gamma: {op: parameter, shape: [8, 1, 1], init: 0.1}\n  mul: {op: mul, from: [relu, gamma]}\n  pool:",
            ),
            ["fresh    gamma: initialised as usual\n"],
        ),
    ],
)
def test_the_plan_of_a_typical_edit(cli: Cli, specs: Path, edit: tuple[str, str], changes: list[str]) -> None:
    assert edit[0] in OLD
    Path("edited.yaml").write_text(OLD.replace(*edit))
    ran = cli("migrate", "old.yaml", "edited.yaml")
    assert ran.code == 0
    assert [change for change in changes if change not in ran.out] == []
    assert ran.out.splitlines()[-1].startswith("this is only a plan")
    ran = cli("migrate", "old.yaml", "edited.yaml", "old.safetensors")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "nothing was written: add -o FILE")


RENAMED = """\
cnngraph: 1
input: [3, 8, 8]
blocks: {unit: {nodes: [{op: conv, out: 3, kernel: 3, padding: half}, batch_norm, relu]}}
nodes: {%s: {op: unit, repeat: 3}, fc: [flatten, {op: linear, out: 2}]}
"""


def test_a_renamed_block_is_one_line(cli: Cli, folder: Path) -> None:
    for name in ("layer", "stage"):
        Path(f"{name}.yaml").write_text(RENAMED % name)
    lines = cli("migrate", "layer.yaml", "stage.yaml").out.splitlines()
    assert [line for line in lines if line.startswith("renamed")] == ["renamed  stage (21 weights): was layer"]


def test_params_of_both_networks(cli: Cli, specs: Path) -> None:
    arguments = ("migrate", "old.yaml", "old.yaml", "--old-set", "classes=4", "--set", "classes=2", "--classes", "3,1")
    ran = cli(*arguments)
    assert "adapted  fc: 2 of 4 outputs" in ran.out
    assert "output: function preserved in eval mode, for 2 of the old outputs" in ran.out


def test_build_and_train_from_another_network(cli: Cli, specs: Path) -> None:
    ran = cli("build", "new.yaml", "--weights", "old.safetensors", "--from", "old.yaml", "-o", "built.safetensors")
    assert (ran.code, ran.err) == (0, "")
    assert "\nold.safetensors, migrated from old: 14 of 16 weights loaded\n2 initialised, as planned:\n" in ran.out
    assert "\noutput: function preserved in eval mode (maximum difference 0, " in ran.out
    cli("migrate", "old.yaml", "new.yaml", "old.safetensors", "-o", "new.safetensors")
    built, migrated = load_file("built.safetensors"), load_file("new.safetensors")
    assert all(torch.equal(tensor, migrated[key]) for key, tensor in built.items())
    ran = cli("build", "new.yaml", "--weights", "old.safetensors")
    assert (ran.code, "error[E706]" in ran.err, "--from OLD" in ran.err) == (1, True, True)
    command = ("train", "new.yaml", "--recipe", "digits", "--set", "train.epochs=1", "-q", "--out", "run")
    assert cli(*command, "--weights", "old.safetensors", "--from", "old.yaml").code == 0
    record = json.loads(Path("run/environment.json").read_text())["weights"]
    assert record["path"] == str((specs / "run/initial.weights").resolve())
    initial = cnngraph.build("new.yaml")
    assert cnngraph.load_weights(initial, record["path"]).ok
    assert torch.equal(initial.state_dict()["conv.weight"], load_file("old.safetensors")["conv.weight"])
    for options in (["--from", "old.yaml"], ["--weights", "x", "--input-channels", "sum"]):
        assert cli("build", "new.yaml", *options).code == 2


def test_large_networks_are_matched_in_bounded_time(specs: Path) -> None:
    for name in ("a", "b"):
        lines = [f"  {name}{number}: {{op: conv, from: in, out: 1, kernel: 1}}" for number in range(700)]
        total = ", ".join(f"{name}{number}" for number in range(700))
        chain = f"  {name}: {{repeat: 300, nodes: [{{op: conv, out: 1, kernel: 1}}, relu]}}"
        nodes = "\n".join(["nodes:", *lines, f"  sum: {{op: add, from: [{total}]}}", chain])
        Path(f"{name}.yaml").write_text(f"cnngraph: 1\ninput: [1, 8, 8]\n{nodes}\n")
    graphs = cnngraph.load("a.yaml"), cnngraph.load("b.yaml")
    from cnngraph.migration import plan

    started = time.process_time()
    assert len(plan(*graphs).tensors) == 2000
    assert time.process_time() - started < 30


def test_other_weights_in_the_file_are_named(cli: Cli, specs: Path) -> None:
    state = cnngraph.build("old.yaml").state_dict()
    torch.save({"model": state, "model_ema": {f"module.{key}": value for key, value in state.items()}}, "both.pth")
    ran = cli("migrate", "old.yaml", "new.yaml", "both.pth")
    assert "the file has other weights that fit as well: both.pth:model_ema.module" in ran.out.splitlines()
    assert "other weights" not in cli("migrate", "old.yaml", "new.yaml", "old.safetensors").out
