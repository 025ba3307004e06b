"""The README shows current files and output."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnngraph.cli.process import run
from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source

ROOT = Path(__file__).parent.parent.parent
README = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = ["specs/googlenet_mnist.yaml", "specs/resnet_cifar/resnet_cifar_222.yaml", "specs/examples/seresnet50.yaml"]


@pytest.mark.parametrize("name", SHOWN)
def test_specs_are_shown_in_full(name: str) -> None:
    assert f"```yaml\n{(ROOT / name).read_text(encoding='utf-8')}```\n" in README


def test_the_residual_unit_is_the_one_of_the_library() -> None:
    shown = re.search(r"^  shortcut:[^\n]*\n.*?(?=^```)", README, re.MULTILINE | re.DOTALL)
    assert shown
    assert shown[0] in (ROOT / "specs/blocks/residual.yaml").read_text(encoding="utf-8")


def test_the_error_is_current() -> None:
    name = "specs/googlenet_mnist.yaml"
    text = (ROOT / name).read_text(encoding="utf-8").replace("stride: 1, padding: 1}", "padding: 1}")
    (error,) = compile_text(Source(name, text), ROOT / "specs", fixes=True).diagnostics
    assert str(error) in README


def test_the_table_of_show_is_current(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    monkeypatch.chdir(ROOT)
    monkeypatch.setenv("COLUMNS", "80")
    assert run(["show", "googlenet_mnist", "--depth", "1"]) == 0
    assert capsys.readouterr().out.strip() in README


def test_the_list_of_networks_is_current(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["list", "convnext*"]) == 0
    assert f"$ cnngraph list 'convnext*'\n```\n```\n{capsys.readouterr().out}```\n" in README
