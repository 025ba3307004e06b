from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

import cnngraph
from cnngraph.backend.smoke_test import SmokeTestError, smoke_test
from tests.cli.conftest import ONE, Cli
from tests.cli.networks import ZOO

NORMED = ONE.replace("act: relu", "act: batch_norm\n  drop: dropout")


def test_modules_shapes_and_totals_are_printed(cli: Cli, one: str) -> None:
    ran = cli("build", one)
    assert (ran.code, ran.err) == (0, "")
    assert "(conv): Conv2d(3, 4, kernel_size=(3, 3), stride=(1, 1), padding=(1, 1))\n" in ran.out
    assert ran.out.endswith(
        "\n\neval      in 2×3×8×8 → output 2×10\ntraining  in 2×3×8×8 → output 2×10\n"
        "2,682 parameters · 9.47 k MACs · 4 operations\n"
    )


def test_training_only_outputs(cli: Cli, folder: Path) -> None:
    (folder / "zoo.yaml").write_text(ZOO)
    ran = cli("build", "zoo.yaml")
    assert "\neval      left 2×3×16×16, right 2×3×16×16 → logits 2×5\n" in ran.out
    assert "\ntraining  left 2×3×16×16, right 2×3×16×16 → logits 2×5, aux 2×5\n" in ran.out


def test_standalone_python_source(cli: Cli, one: str, folder: Path) -> None:
    ran = cli("build", one, "-o", "one.py")
    assert ran.out.endswith("wrote one.py\n")
    assert sorted(path.name for path in folder.iterdir()) == ["one.py", "one.yaml"]
    ran_alone = subprocess.run([sys.executable, "-I", "one.py"], capture_output=True, text=True, timeout=120)
    assert ran_alone.stdout.endswith("2,682 parameters\n")


def test_seed_of_initial_weights(cli: Cli, folder: Path) -> None:
    (folder / "one.yaml").write_text(NORMED)
    for seed, name in ((0, "a"), (0, "b"), (1, "c")):
        assert cli("build", "one.yaml", "--seed", seed, "-o", f"{name}.safetensors").code == 0
    a, b, c = (load_file(f"{name}.safetensors") for name in "abc")
    assert list(a) == list(b) == list(c)
    assert all(torch.equal(a[key], b[key]) for key in a)
    assert not torch.equal(a["conv.weight"], c["conv.weight"])
    assert torch.equal(a["act.running_mean"], torch.zeros(4))  # the smoke test changes nothing
    assert a["act.num_batches_tracked"] == 0


def test_weights_that_fit(cli: Cli, one: str) -> None:
    cli("build", one, "--seed", 3, "-o", "one.safetensors")
    ran = cli("build", one, "--weights", "one.safetensors", "-o", "two.safetensors")
    assert ran.code == 0
    assert "\none.safetensors: 4 of 4 weights loaded\n" in ran.out
    assert torch.equal(load_file("one.safetensors")["conv.weight"], load_file("two.safetensors")["conv.weight"])


def test_weights_that_do_not_fit_are_an_error_unless_partial(cli: Cli, one: str, folder: Path) -> None:
    state = {"conv.weight": torch.zeros(4, 3, 3, 3), "head.1.bias": torch.zeros(7), "fc.weight": torch.zeros(2, 2)}
    save_file(state, "theirs.safetensors")
    command = ("build", one, "--weights", "theirs.safetensors", "-o", "one.safetensors")
    ran = cli(*command)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(
        "error[E706]: theirs.safetensors does not fit one: 1 of 4 weights, 2 missing, 1 with a different shape, 1 only "
    )
    assert "--partial" in ran.err
    assert not (folder / "one.safetensors").exists()
    ran = cli(*command, "--partial")
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.endswith(
        "theirs.safetensors: 1 of 4 weights loaded\n"
        "2 missing in the file:\n  conv.bias\n  head.1.weight\n"
        "1 with a different shape:\n  head.1.bias: 7 in the file, 10 in the network\n"
        "1 only in the file:\n  fc.weight\n"
        "wrote one.safetensors\n"
    )
    assert not load_file("one.safetensors")["conv.weight"].any()
    ran = cli(*command, "--fresh", "head.**", "--fresh", "conv.bias", "--leave", "fc")
    assert (ran.code, ran.err) == (0, "")
    assert "\n3 initialised, as chosen by --fresh:\n  conv.bias: 4\n  head.1.weight: 10×256\n" in ran.out
    ran = cli(*command, "--fresh", "haed")
    assert ran.err == "error[E706]: `--fresh haed` matches no weight of the network\n  help: did you mean `head`?\n"


def test_with_partial_at_least_one_weight_must_fit(cli: Cli, one: str) -> None:
    save_file({"other.weight": torch.zeros(4, 3)}, "theirs.safetensors")
    ran = cli("build", one, "--weights", "theirs.safetensors", "--partial")
    assert ran.code == 1
    assert ran.err.startswith("error[E706]: theirs.safetensors does not fit one: 0 of 4 weights")
    assert cli("build", one, "--partial").code == 2


def test_file_that_is_not_a_weights_file(cli: Cli, one: str, folder: Path) -> None:
    (folder / "w.safetensors").write_text("no weights")
    for name in ("w.safetensors", "nowhere.safetensors", "one.yaml"):
        ran = cli("build", one, "--weights", name)
        assert (ran.code, ran.out) == (1, "")
        assert ran.err.startswith("error[E704]: ")


def test_invalid_spec_is_not_built(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(ONE.replace("relu", "rellu"))
    ran = cli("build", "wrong.yaml", "-o", "wrong.py")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E313]: there is no op or block `rellu`\n")
    assert not (folder / "wrong.py").exists()


def test_smoke_test_does_not_change_the_network(folder: Path) -> None:
    (folder / "one.yaml").write_text(NORMED)
    graph = cnngraph.load("one.yaml")
    model = cnngraph.build(graph).eval()
    before = {key: tensor.clone() for key, tensor in model.state_dict().items()}
    generator = torch.get_rng_state()
    proof = smoke_test(model, graph)
    assert proof.inputs == {"in": (2, 3, 8, 8)}
    assert proof.eval == proof.training == {"output": (2, 10)}
    assert not model.training
    assert torch.equal(generator, torch.get_rng_state())
    assert all(torch.equal(tensor, before[key]) for key, tensor in model.state_dict().items())


def test_output_with_an_unexpected_shape(folder: Path, one: str) -> None:
    graph = cnngraph.load(one)
    with pytest.raises(SmokeTestError, match=r"in eval mode `output` has shape \(2, 5\), expected \(2, 10\)"):
        smoke_test(torch.nn.Sequential(cnngraph.build(graph), torch.nn.Linear(10, 5)), graph)
    with pytest.raises(SmokeTestError, match="PyTorch cannot run the network in eval mode"):
        smoke_test(torch.nn.Sequential(cnngraph.build(graph), torch.nn.Linear(11, 5)), graph)


def test_slow_build_prints_a_note(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "one.yaml").write_text("cnngraph: 1\ninput: [3, 4, 4]\nnodes: [{op: conv, out: 2, kernel: 1}]\n")
    assert cli("build", "one.yaml").err == ""

    class Passed:
        """A timer that fires immediately."""

        def __init__(self, seconds: float, act: Callable[[], None]) -> None:
            self.start, self.cancel = act, lambda: None

    monkeypatch.setattr("cnngraph.cli.commands.build.Timer", Passed)
    assert cli("build", "one.yaml").err == "building and running 1 operation …\n"
