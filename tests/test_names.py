"""Bundled networks are referred to by name."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

import cnngraph
from cnngraph.cli.complete import complete_networks
from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Diagnostic, Source, SpecError
from cnngraph.library import is_family, is_name, network_files, shown
from tests.library import BLOCKS, LIBRARY, NETWORKS, ROOT

NAME = "googlenet_mnist"
POINTER = "`cnngraph list` prints the networks; the name of a file needs its extension"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def error_of(call: Callable[[], object], code: str = "E311") -> Diagnostic:
    with pytest.raises(SpecError) as caught:
        call()
    (error,) = caught.value.diagnostics
    assert error.code == code
    return error


def test_network_names_are_unique() -> None:
    networks = [path for path in LIBRARY.rglob("*.yaml") if path in NETWORKS]
    counts = Counter(path.stem for path in networks)
    assert [name for name, count in counts.items() if count > 1] == []
    assert len(counts) == len(network_files())


def test_networks_recipes_experiments_and_blocks_are_told_apart() -> None:
    others = {path for path in LIBRARY.rglob("*.yaml") if path not in NETWORKS}
    data = {*LIBRARY.glob("recipes/*.yaml"), *LIBRARY.glob("experiments/*.yaml")}
    assert others == data | set(BLOCKS)
    for path in NETWORKS:
        assert re.search(r"^(nodes|extends):", path.read_text(encoding="utf-8"), re.MULTILINE), path
    for path in BLOCKS:
        assert not re.search(r"^(nodes|extends):", path.read_text(encoding="utf-8"), re.MULTILINE), path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("resnet50", True),
        ("vgg16_bn", True),
        ("a.b", True),
        ("resnet50.yaml", False),
        ("resnet50.yml", False),
        ("RESNET50.YAML", False),
        ("./resnet50", False),
        ("resnet/resnet50", False),
        ("/resnet50", False),
        (".", False),
        ("..", False),
        ("", False),
    ],
)
def test_what_counts_as_a_name(text: str, expected: bool) -> None:
    assert is_name(text) == expected


def test_what_counts_as_a_family(tmp_path: Path) -> None:
    many = ("many/many", "many/many_1", "parts/parts_a", "parts/parts_a_1", "parts/parts_a_2", "parts/parts_a_2_b")
    for name in ("one/one", "shared/shared", "shared/blocks", *many):
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(exist_ok=True)
        path.touch()
    families = [name for name, path in network_files(tmp_path).items() if is_family(path)]
    assert families == ["many", "parts_a"]


# -- in Python


def test_load_check_and_build(folder: Path) -> None:
    graph = cnngraph.load(NAME, classes=4)
    assert graph.name == NAME
    assert graph.output_shapes == {"output": (4,)}
    assert cnngraph.load(Path(NAME)).num_params == 97_298
    assert cnngraph.check(NAME).diagnostics == ()
    assert sum(parameter.numel() for parameter in cnngraph.build(NAME).parameters()) == 97_298


def test_an_unknown_name(folder: Path) -> None:
    error = error_of(lambda: cnngraph.load("googlenet_mnits"))
    assert error.message == "there is no network `googlenet_mnits` in the library"
    assert error.help == f"did you mean `{NAME}`?"
    assert error_of(lambda: cnngraph.load("frobnicate")).help == POINTER
    assert [diagnostic.code for diagnostic in cnngraph.check("frobnicate")] == ["E311"]


@pytest.mark.parametrize("file", ["net.yaml", "net.yml", "net"])
def test_a_file_is_suggested_for_an_unknown_name(folder: Path, file: str) -> None:
    shutil.copy(LIBRARY / f"{NAME}.yaml", folder / file)
    assert error_of(lambda: cnngraph.load("net")).help == f"did you mean `./{file}`?"
    assert error_of(lambda: cnngraph.load(Path(folder.name).with_name("net"))).help == f"did you mean `./{file}`?"
    assert cnngraph.load(f"./{file}").num_params == 97_298


@pytest.mark.parametrize("file", [f"{NAME}.yaml", f"specs/{NAME}.yaml", f"./{NAME}"])
def test_a_network_is_suggested_for_a_missing_file(folder: Path, file: str) -> None:
    error = error_of(lambda: cnngraph.load(file), "E101")
    assert error.message == f"cannot read {file}: file not found"
    assert error.help == f"did you mean `{NAME}`, the bundled network?"
    assert error_of(lambda: cnngraph.load("frobnicate.yaml"), "E101").help is None


def test_a_folder_is_not_a_network(folder: Path) -> None:
    (folder / "specs").mkdir()
    assert error_of(lambda: cnngraph.load("specs")).help == "`specs` is a folder; pass its files: `specs/*.yaml`"


def test_a_bundled_name_takes_precedence_over_a_file(folder: Path) -> None:
    for ending in ("", ".yaml"):
        (folder / f"{NAME}{ending}").write_text("cnngraph: 1\ninput: [3]\nnodes: [relu]\n")
    assert cnngraph.load(NAME).num_params == 97_298
    assert cnngraph.load(f"./{NAME}").num_params == 0
    assert cnngraph.load(f"{NAME}.yaml").num_params == 0
    assert cnngraph.load(folder / NAME).num_params == 0


@pytest.mark.parametrize("name", ["a\0b", "x" * 5000, "\n", "-"])
def test_an_invalid_name(folder: Path, name: str) -> None:
    assert error_of(lambda: cnngraph.load(name)).help


# -- in a spec


def extending(name: str, rest: str = "") -> str:
    return f"cnngraph: 1\nextends: {name}\n{rest}"


def test_a_spec_extends_a_network_by_name(folder: Path) -> None:
    compilation = compile_text(Source("mine.yaml", extending(NAME, "params: {classes: 3}\n")), folder)
    assert compilation.ok
    assert compilation.graph
    assert (compilation.graph.name, compilation.graph.output_shapes) == ("mine", {"output": (3,)})


def test_a_spec_may_have_the_name_of_the_network_it_extends(folder: Path) -> None:
    (folder / f"{NAME}.yaml").write_text(extending(NAME))
    assert cnngraph.load(f"{NAME}.yaml").num_params == 97_298


def test_extending_an_unknown_network(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "base.yaml").touch()
    for name, help in (("googlenet_mnits", f"did you mean `{NAME}`?"), ("base", "did you mean `./base.yaml`?")):
        (error,) = compile_text(Source("sub/mine.yaml", extending(name)), folder / "sub").diagnostics
        assert (error.code, error.line, error.help) == ("E311", 2, help)


# -- file names in messages


def test_bundled_files_are_shown_relative_to_the_package(folder: Path) -> None:
    path = network_files()[NAME]
    assert shown(path) == f"cnngraph/specs/{path.relative_to(LIBRARY).as_posix()}"
    assert compile_text(Source("mine.yaml", extending(NAME)), folder).graph
    graph = compile_spec(NAME).graph
    assert graph
    assert {node.file for node in graph.nodes} == {"cnngraph/specs/googlenet_mnist.yaml"}


def test_bundled_files_are_shown_by_path_in_a_checkout(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert shown(network_files()[NAME]) == os.path.join("specs", "googlenet_mnist.yaml")


def test_shell_completion_of_names() -> None:
    def completed(incomplete: str) -> list[tuple[str, str]]:
        return [(item.type, item.value) for item in complete_networks(None, None, incomplete)]

    assert completed("googlenet_m") == [("plain", NAME)]
    assert completed("./goog") == [("file", "./goog")]
    assert {name for _, name in completed("")} == set(network_files())


def test_names_work_with_an_installed_package(tmp_path: Path) -> None:
    installed, empty = tmp_path / "installed", tmp_path / "empty"
    empty.mkdir()
    shutil.copytree(ROOT / "cnngraph", installed / "cnngraph", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copytree(LIBRARY, installed / "cnngraph" / "specs")
    (empty / "net.yaml").write_text(extending("residual_mnist_original", "params: {classes: ten}\n"))
    variables = {**os.environ, "PYTHONPATH": str(installed), "PYTHONIOENCODING": "utf-8"}
    ran = subprocess.run(
        [sys.executable, "-P", "-m", "cnngraph", "check", NAME, "net.yaml"],
        cwd=empty,
        env=variables,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert ran.stderr == ""
    assert ran.stdout.startswith(f"{NAME}: ok, 97,298 parameters, 6.02 M MACs\n")
    assert str(installed) not in ran.stdout
    assert "--> cnngraph/specs/residual_mnist/residual_mnist.yaml:" in ran.stdout
    assert "the value comes from net.yaml:3" in ran.stdout
