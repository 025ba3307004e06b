"""What the shell completes, asked as the script of `cnngraph completion` asks it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli
from tests.cli.test_usage import process


def completed(*words: str) -> list[str]:
    """What bash is given for the last word, each as `kind,value`."""
    line = " ".join(["cnngraph", *words])
    ran = process(_CNNGRAPH_COMPLETE="bash_complete", COMP_WORDS=line, COMP_CWORD=str(len(words)))
    assert (ran.returncode, ran.stderr) == (0, "")
    return ran.stdout.splitlines()


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
def test_words(words: list[str], expected: list[str]) -> None:
    assert completed(*words) == expected


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_script(cli: Cli, shell: str) -> None:
    ran = cli("completion", shell)
    assert (ran.code, ran.err) == (0, "")
    assert f"_CNNGRAPH_COMPLETE={shell}_complete" in ran.out


def test_another_shell(cli: Cli, folder: Path) -> None:
    ran = cli("completion", "tcsh")
    assert (ran.code, ran.out) == (2, "")
    assert ran.err.startswith("error: invalid value for 'bash|zsh|fish': 'tcsh' is not one of 'bash', 'zsh', 'fish'")
