"""Shell completion, called like the script of `cnngraph completion`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import ONE, Cli
from tests.cli.test_usage import process


def completed(*words: str) -> list[str]:
    """The completions of the last word in bash, as `kind,value`."""
    line = " ".join(["cnngraph", *words])
    ran = process(_CNNGRAPH_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.split()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["che"], ["plain,check"]),
        (["check", "googlenet_m"], ["plain,googlenet_mnist"]),
        (["show", "googlenet_mnist", "--dep"], ["plain,--depth"]),
        (["show", "googlenet_mnist", "--format", "j"], ["plain,json"]),
        (["check", "./net"], ["file,./net"]),
    ],
)
def test_completed_names(words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


@pytest.fixture
def run(folder: Path) -> str:
    """A run's folder with the files that completion reads."""
    place = folder / "runs" / "net-1"
    place.mkdir(parents=True)
    (place / "spec.yaml").write_text(ONE)
    (place / "recipe.yaml").write_text("")
    (place / "epoch-0010.safetensors").write_text("")
    return "runs/net-1"


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["train", "one.yaml", "--recipe", "dig"], ["plain,digits"]),
        (["train", "one.yaml", "--set", "ou"], ["plain,out="]),
        (["train", "one.yaml", "--set", "train.ep"], ["plain,train.epochs="]),
        (["train", "wrong.yaml", "--set", "ou"], []),
        (["train", "--resume", "ru"], ["plain,runs/net-1"]),
        (["train", "one.yaml", "--device", "cu"], ["plain,cuda"]),
        (["experiment", "shortcuts_"], ["plain,shortcuts_digits"]),
        (["explain", "e203"], ["plain,E203"]),
        (["evaluate", "ru"], ["plain,runs/net-1"]),
        (["evaluate", "elsewhere/"], ["dir,elsewhere/"]),
        (["evaluate", "runs/net-1", "--weights", "ep"], ["plain,epoch-0010"]),
        (["evaluate", "runs/net-1", "--weights", "tor"], ["file,tor"]),
        (["predict", "runs/net-1", "--weights", "tor"], ["plain,torchvision"]),
        (["predict", "--weights", "torchvision", "resnet15"], ["plain,resnet152"]),
        (["features", "runs/net-1", "a.png", "--node", "he"], ["plain,head"]),
        (["features", "runs/net-1", "a.png", "--node", "head."], ["plain,head.0", "plain,head.1"]),
    ],
)
def test_existing_files(one: str, run: str, folder: Path, words: list[str], expected: list[str]) -> None:
    (folder / "wrong.yaml").write_text("nodes: [")
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_script(cli: Cli, shell: str) -> None:
    ran = cli("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_CNNGRAPH_COMPLETE={shell}_complete" in ran.out


def test_unknown_shell(cli: Cli, folder: Path) -> None:
    ran = cli("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: invalid value for 'bash|zsh|fish': 'tcsh' is not one of 'bash', 'zsh', 'fish'")
