"""Names of classes, files and networks with control characters or invalid UTF-8 are escaped by every command."""

from __future__ import annotations

import json
import os
import unicodedata
from pathlib import Path
from xml.etree import ElementTree

import pytest
from PIL import Image

from tests.cli.conftest import Cli

STRANGE = [
    "\x1b[31mred", "a\rb", "a\nerror: forged", "\x9b31m", "\u202eevil", "\u200bzero", "\u2028line", "\u2066isolated",
    "[bold red]markup[", "a|b`c<script>x<", "$x$", "\udcff\udcfe", "tab\tbed",
]  # fmt: skip
SPEC = r"""
cnngraph: 1
name: "n\e[31m\u202e[red]|`<script>x"
about: "about\e[31m\u202e\u200b"
input: [3, 8, 8]
nodes: [{op: conv, out: 4, kernel: 3}, relu, global_avg_pool, {op: linear, out: 13}]
"""
RECIPE = "{data: folder, validation: 0.2, epochs: 1, batch_size: 26, optimizer: adam}"


def control_characters(text: str) -> set[str]:
    """The control characters of a text, except newlines."""
    return {character for character in text if unicodedata.category(character) in ("Cc", "Cf", "Cs", "Zl", "Zp")} - {
        "\n"
    }


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A spec, a recipe, a folder of images and a picture per class, all with strange names."""
    place = tmp_path_factory.mktemp("strange")
    (place / "net.yaml").write_text(SPEC)
    (place / "recipe.yaml").write_text(RECIPE)
    for number, name in enumerate(STRANGE):
        (place / "data" / name).mkdir(parents=True)
        for index in range(5):
            image = Image.new("RGB", (8, 8), (15 * number, 40 * index, 99))
            image.save(os.fsencode(place / "data" / name / f"{index}.png").decode(errors="surrogateescape"))
        image.save(place / f"{name}.png")
    return place


@pytest.fixture
def here(photos: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working folder with these files and a run."""
    monkeypatch.chdir(photos)
    if not Path("run").is_dir():
        words = ["--recipe", "recipe.yaml", "--data-dir", "data", "--out", "run", "--device", "cpu"]
        ran = cli("train", "net.yaml", *words)
        assert (ran.code, control_characters(ran.out + ran.err)) == (0, set())
        assert r"n\x1b[31m\u202e[red]|`<script>x" in ran.out
    return photos


def test_commands_for_specs(here: Path, cli: Cli) -> None:
    for words in (["check"], ["show"], ["build"], ["show", "--format", "json"], ["render", "-o", "net.svg"]):
        ran = cli(words[0], "net.yaml", *words[1:])
        assert (ran.code, control_characters(ran.out + ran.err)) == (0, set())
    assert r"n\x1b[31m\u202e[red]|`<script>x" in cli("show", "net.yaml").out
    for ending in ("svg", "dot", "mmd"):
        assert cli("render", "net.yaml", "-o", f"net.{ending}").code == 0
        assert not control_characters(Path(f"net.{ending}").read_text())
    ElementTree.parse("net.svg")


def test_a_network_whose_file_is_not_utf_8(here: Path, cli: Cli, tmp_path: Path) -> None:
    """The network's name comes from the file and is written into the run's spec."""
    spec, run, picture = tmp_path / "n\udcff.yaml", tmp_path / "run", next((here / "data").rglob("*.png"))
    spec.write_text("".join(line for line in SPEC.splitlines(keepends=True) if not line.startswith("name:")))
    words = ["--recipe", "recipe.yaml", "--data-dir", "data", "--out", run, "--device", "cpu"]
    for called in (["train", spec, *words], ["evaluate", run, "--split", "validation"], ["predict", run, picture]):
        ran = cli(*called)
        assert (ran.code, control_characters(ran.out + ran.err)) == (0, set())
    assert r"n\xff · " in cli("evaluate", run, "--split", "validation").out
    assert cli("train", "--resume", run, "--set", "train.epochs=3").code == 0


def test_names_in_evaluate(here: Path, cli: Cli) -> None:
    ran = cli("evaluate", "run", "--split", "validation", "-o", "confusion.svg")
    assert (ran.code, control_characters(ran.out + ran.err)) == (0, set())
    assert r"\x1b[31mred" in ran.out
    assert r"\xff\xfe" in ran.out
    assert "[bold red]markup[" in ran.out
    ElementTree.parse("confusion.svg")
    ran = cli("evaluate", "run", "--split", "validation", "--format", "json")
    assert not control_characters(ran.out)
    assert {row["class"] for row in json.loads(ran.out)["classes"]} == set(STRANGE)


@pytest.mark.parametrize("command", ["predict", "localize"])
def test_names_in_predict_and_localize(here: Path, cli: Cli, command: str) -> None:
    files = [f"{name}.png" for name in STRANGE]
    ran = cli(command, "run", *files)
    assert (ran.code, control_characters(ran.out + ran.err)) == (0, set())
    assert "\na\\nerror: forged.png " in ran.out
    ran = cli(command, "run", *files, "--format", "json")
    assert not control_characters(ran.out)
    assert [answer["image"] for answer in json.loads(ran.out)] == files
    ran = cli(command, "run", *(f"{name}.jpg" for name in STRANGE))
    assert (ran.code, len(ran.err.splitlines()), control_characters(ran.err)) == (1, len(STRANGE), set())


@pytest.mark.parametrize("name", STRANGE)
def test_names_in_messages(here: Path, cli: Cli, name: str) -> None:
    for words in (
        ["check", name], ["check", f"{name}.yaml"], ["check", "net.yaml", "--set", name], ["runs", name],
        ["list", name], ["check", "net.yaml", "--plugin", name], ["check", "net.yaml", f"--{name}"], [f"frob{name}"],
        ["weights", "net.yaml", f"{name}.pth"], ["experiment", name], ["experiment", f"{name}.yaml"],
        ["train", "--resume", name], ["train", "net.yaml", "--recipe", f"{name}.yaml"],
        ["train", "net.yaml", "--recipe", "recipe.yaml", "--data-dir", "data", "--device", name],
        ["features", "run", f"{name}.png", "--node", name], ["localize", "run", f"{name}.png", "--class", f"no {name}"],
        ["evaluate", "run", "--weights", name], ["render", "net.yaml", "-o", f"{name}/x.svg"],
    ):  # fmt: skip
        ran = cli(*words)
        assert ran.code in (1, 2), words
        assert not control_characters(ran.out + ran.err), words
        assert "\nerror: forged" not in f"{ran.out}\n{ran.err}"
        assert "internal error" not in ran.err, words


@pytest.mark.parametrize("name", STRANGE)
def test_names_of_output_files(here: Path, cli: Cli, name: str) -> None:
    for words in (
        ["render", "net.yaml", "-o", f"{name}.svg"], ["build", "net.yaml", "-o", f"{name}.py"],
        ["build", "net.yaml", "-o", f"{name}.safetensors"], ["schema", "-o", f"{name}.json"],
        ["weights", "net.yaml", f"{name}.safetensors", "--save", f"{name}-2.safetensors"],
        ["features", "run", f"{name}.png", "--node", "0", "-o", f"{name}.pdf"],
    ):  # fmt: skip
        ran = cli(*words)
        assert (ran.code, control_characters(ran.out + ran.err)) == (0, set()), (words, ran)
    Path(f"{name}.yaml").write_text(SPEC)
    assert cli("check", f"{name}.yaml").code == 0
