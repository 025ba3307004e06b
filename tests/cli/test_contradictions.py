"""Options about weights that need or exclude each other: each combination is an error that says what to do."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

import cnngraph
from tests.cli.conftest import Cli

SPEC = """\
cnngraph: 1
input: [1, 28, 28]
params: {classes: 10}
nodes: {pool: {op: max_pool, kernel: 4}, flat: flatten, body: {op: linear, out: 8}, fc: {op: linear, out: $classes}}
train: {data: digits, epochs: 2, batch_size: 200, optimizer: {name: sgd, lr: 0.1}}
"""
OPTIONS = {
    "--weights": "w.safetensors",
    "--from": "old.yaml",
    "--partial": "",
    "--fresh": "fc",
    "--leave": "fc",
    "--input-channels": "sum",
    "--classes": "0-9",
    "--old-set": "classes=10",
    "--resume": "runs/old-1",
}
OF_MIGRATION = {"--input-channels", "--classes", "--old-set"}


@pytest.fixture
def files(folder: Path) -> Path:
    """A spec, its weights, and a folder that looks like a run."""
    for name in ("old.yaml", "new.yaml"):
        (folder / name).write_text(SPEC)
    torch.manual_seed(0)
    save_file(cnngraph.build("old.yaml").state_dict(), "w.safetensors")
    return folder


def expected(used: frozenset[str], source: str | None) -> str | None:
    """Which message a combination should have; None if it is valid."""
    others = used - {"--weights", "--resume"}
    if "--resume" in used:
        return "a resumed run keeps its weights: leave out --" if others or source else "is not a run folder"
    if others & OF_MIGRATION and "--from" not in used:
        return "needs --from: the network that the weights belong to"
    if others and source is None:
        return "needs --weights: a file, or torchvision"
    if others and source == "none":
        return "has no effect on random weights: leave it out, or name other --weights than none"
    if "--from" in used and others & {"--partial", "--leave"}:
        return "cannot be combined with --from, which uses every weight that fits: leave one of them out"
    return None


def arguments(used: tuple[str, ...], source: str) -> list[str]:
    values = {**OPTIONS, "--weights": source}
    return [text for option in used for text in (option, values[option]) if text]


@pytest.mark.parametrize("source", ["w.safetensors", "none"])
@pytest.mark.parametrize("command", ["build", "train"])
def test_every_pair_and_triple_of_options(cli: Cli, files: Path, command: str, source: str) -> None:
    names = [name for name in OPTIONS if command == "train" or name != "--resume"]
    for used in [pair for size in (1, 2, 3) for pair in combinations(names, size)]:
        given = source if "--weights" in used else None
        message = expected(frozenset(used), given)
        if message is None:
            continue
        spec = [] if "--resume" in used else ["new.yaml"]
        ran = cli(command, *spec, *arguments(used, source))
        assert ran.code == (1 if message == "is not a run folder" else 2), (used, ran)
        assert message in ran.err, (used, ran)


@pytest.mark.parametrize(
    "used",
    [
        ("--weights",),
        ("--weights", "--partial"),
        ("--weights", "--fresh"),
        ("--weights", "--from"),
        ("--weights", "--partial", "--fresh", "--leave"),
        ("--weights", "--from", "--fresh", "--input-channels"),
        ("--weights", "--from", "--classes", "--old-set"),
    ],
)
def test_valid_combinations(cli: Cli, files: Path, used: tuple[str, ...]) -> None:
    given = arguments(used, "w.safetensors")
    if "--leave" in used:
        save_file({**cnngraph.build("old.yaml").state_dict(), "x": torch.zeros(1)}, "w.safetensors")
        given[-1] = "x"
    assert cli("build", "new.yaml", *given).code == 0
    ran = cli("train", "new.yaml", *given, "--dry-run")
    assert (ran.code, ran.out.splitlines()[-1]) == (0, "dry run: nothing was trained or written")


@pytest.mark.parametrize(
    ("command", "code", "message"),
    [
        ("migrate old.yaml new.yaml none", 1, "`none` means random weights, so there is nothing to load"),
        ("weights new.yaml none", 1, "`none` means random weights, so there is nothing to load"),
        ("migrate old.yaml new.yaml --seed 3", 2, "--seed needs WEIGHTS: without them only the plan is printed"),
        ("migrate old.yaml new.yaml -o x.safetensors", 2, "there is nothing to write without WEIGHTS"),
        ("migrate old.yaml new.yaml --fresh no", 1, "`--fresh no` matches no weight of the network"),
        ("migrate old.yaml new.yaml w.safetensors --fresh no", 1, "`--fresh no` matches no weight of the network"),
        ("build new.yaml --weights w.safetensors --fresh no", 1, "`--fresh no` matches no weight of the network"),
        ("build new.yaml --weights w.safetensors --from old.yaml --fresh no", 1, "`--fresh no` matches no weight of"),
        ("build new.yaml --weights w.safetensors --leave no", 1, "`--leave no` matches no weight of w.safetensors"),
        ("train --resume runs/x --input 1x28x28", 2, "a resumed run keeps its network: leave out --input"),
        ("train --resume runs/x --set classes=3", 2, "keeps its network: leave out --set, except of train.NAME"),
        ("train --resume runs/x --recipe digits", 2, "keeps its recipe and folder: leave out --recipe and --out"),
        ("train --resume runs/x --out y", 2, "keeps its recipe and folder: leave out --recipe and --out"),
        ("evaluate runs/x --from old.yaml", 2, "unknown option --from"),
        ("evaluate runs/x --weights none", 1, "runs/x is not a run folder"),
    ],
)
def test_single_commands(cli: Cli, files: Path, command: str, code: int, message: str) -> None:
    ran = cli(*command.split())
    assert (ran.code, ran.out) == (code, "")
    assert message in ran.err


def test_weights_that_do_not_exist_in_a_run(cli: Cli, files: Path) -> None:
    assert cli("train", "new.yaml", "--out", "run", "--set", "train.epochs=1", "-q").code == 0
    for name in ("none", "torchvision", "w.safetensors"):
        ran = cli("evaluate", "run", "--weights", name)
        assert ran.code == 1
        assert f"run has no {name} weights" in ran.err
        assert "use `--weights best or last`" in ran.err
    ran = cli("build", "new.yaml", "--weights", "run/best.safetensors", "--from", "run")
    assert ran.code == 1
    assert "`run` is the folder of a run; its spec is run/spec.yaml" in ran.err
    ran = cli("build", "new.yaml", "--weights", "run/best.safetensors", "--from", "./run")
    assert "cannot read ./run: it is the folder of a run\n  help: its spec is run/spec.yaml" in ran.err
    assert cli("build", "new.yaml", "--weights", "run/best.safetensors", "--from", "run/spec.yaml").code == 0


def test_weights_of_which_nothing_is_kept(cli: Cli, files: Path) -> None:
    (files / "other.yaml").write_text(
        "cnngraph: 1\ninput: [1, 28, 28]\nnodes: [{op: conv, out: 4, kernel: 3}, global_avg_pool]\n"
    )
    for command in (["build", "other.yaml"], ["train", "other.yaml", "--recipe", "digits", "--dry-run"]):
        ran = cli(*command, "--weights", "w.safetensors", "--from", "old.yaml")
        assert ran.code == 1
        assert "error[E707]: `other` keeps none of the weights of `old`" in ran.err
    assert cli("migrate", "old.yaml", "other.yaml", "w.safetensors").code == 0


def test_single_fresh_weights(cli: Cli, files: Path) -> None:
    ran = cli("migrate", "old.yaml", "new.yaml", "w.safetensors", "--fresh", "fc.bias")
    assert "fresh    fc (bias): initialised as usual, as chosen by --fresh" in ran.out.splitlines()
    assert "function not preserved, because of fc: fc.bias fresh" in ran.out
    ran = cli("migrate", "old.yaml", "new.yaml", "w.safetensors", "--fresh", "fc")
    assert "fresh    fc: initialised as usual, as chosen by --fresh" in ran.out.splitlines()
    assert "function not preserved, because fc is fresh" in ran.out
