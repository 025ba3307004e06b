"""Checks of files of every kind, folders and names."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cnngraph.checking import CheckOptions, CheckReport, Kind, check_paths
from cnngraph.diagnostics import Source, SpecError
from cnngraph.recipe import Recipe
from cnngraph.recipe.fit import ImageFacts
from cnngraph.tensor_type import TensorType
from tests.library import LIBRARY

NET = "cnngraph: 1\ninput: [1, 28, 28]\nparams: {classes: 10}\nnodes: [flatten, {op: linear, out: $classes}]\n"
BLOCKS = "cnngraph: 1\nblocks: {twice: {nodes: [relu, relu]}}\n"
RECIPE = "{data: digits, epochs: 1, optimizer: adam}\n"
EXPERIMENT = "specs: [net.yaml]\nrecipes: [mine.yaml]\nseeds: 2\nsettings: {train.epochs: [1, 2]}\n"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name, text in {"net": NET, "blocks": BLOCKS, "mine": RECIPE, "both": EXPERIMENT}.items():
        (tmp_path / f"{name}.yaml").write_text(text)
    return tmp_path


def kinds(report: CheckReport) -> dict[str, Kind | None]:
    return {found.file: found.kind for found in report.files}


def all_codes(report: CheckReport) -> list[str]:
    return [diagnostic.code for found in report.files for diagnostic in found.diagnostics]


def test_files_are_checked_by_kind(folder: Path) -> None:
    report = check_paths(["net.yaml", "blocks.yaml", "mine.yaml", "both.yaml"])
    assert report.ok
    assert list(kinds(report).values()) == [Kind.SPEC, Kind.BLOCKS, Kind.RECIPE, Kind.EXPERIMENT]
    assert [dict(found.facts) for found in report.files] == [
        {"parameters": 7850, "macs": 7840},
        {"blocks": 1},
        {},
        {"variants": 2, "runs": 4},
    ]


def test_names_of_bundled_files(folder: Path) -> None:
    report = check_paths(["googlenet_mnist", "shortcuts_digits", "cifar"])
    assert kinds(report) == {
        "googlenet_mnist": Kind.SPEC,
        "shortcuts_digits": Kind.EXPERIMENT,
        "cifar": Kind.RECIPE,
    }
    (found,) = check_paths(["shortcut_digits"]).files
    assert [(diagnostic.code, diagnostic.help) for diagnostic in found.diagnostics] == [
        ("E311", "did you mean `shortcuts_digits`?")
    ]
    (found,) = check_paths(["nothing_like_this"]).files
    assert [diagnostic.code for diagnostic in found.diagnostics] == ["E311"]


def test_folder_and_subfolders(folder: Path) -> None:
    inner = folder / "deep" / "er"
    inner.mkdir(parents=True)
    (inner / "odd.YML").write_text(NET.replace("linear", "linaer"))
    (folder / ".hidden").mkdir()
    (folder / ".hidden" / "wrong.yaml").write_text("cnngraph: 2\n")
    (folder / ".hidden.yaml").write_text("cnngraph: 2\n")
    os.symlink(folder, inner / "circle", target_is_directory=True)
    os.symlink(folder / "net.yaml", inner / "again.yaml")
    report = check_paths([str(folder)])
    assert [Path(found.file).name for found in report.files] == [
        "blocks.yaml", "both.yaml", "mine.yaml", "net.yaml", "odd.YML",
    ]  # fmt: skip
    assert all_codes(report) == ["E313"]
    assert report.skipped == ()


@pytest.mark.parametrize(
    "text",
    [
        "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}\ndata: {a: b}\n",
        "root: true\nextends: standard\nrules: {semi: off}\n",
        "services: {web: {image: x}}\n",
        "kind: Cluster\napiVersion: kind/v1\nnodes: [{role: worker}]\n",
        "--- !Document\na: &b [1]\nc: *b\n--- 3\n",
        "- a\n- b\n",
        "",
        "epochs: 3\nmodel: x\nbackbone: y\n",
        "\tbroken: [",
    ],
)
def test_files_of_other_tools_are_only_skipped_in_folders(folder: Path, text: str) -> None:
    (folder / "other.yaml").write_text(text)
    report = check_paths(["."])
    assert report.ok
    assert report.skipped == ("other.yaml",)
    assert not check_paths(["other.yaml"]).ok


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("cnngraph: 1\ninput: [1, 2, 2]\nnodes:\n  a: {op: relu\n", "E102"),
        ("input: [1, 2, 2]\nnodes: [relu]\n", "E106"),
        ("data: mnist\nepochs: 3\noptimiser: adam\n", "E602"),
        ("specs: [net.yaml]\nseed: 3\nrecipes: [mine.yaml]\n", "E602"),
    ],
)
def test_invalid_specs_are_not_skipped(folder: Path, text: str, code: str) -> None:
    (folder / "wrong.yaml").write_text(text)
    report = check_paths(["."])
    assert report.skipped == ()
    assert code in all_codes(report)


def test_folder_with_nothing_to_check(folder: Path) -> None:
    (folder / "empty").mkdir()
    (found,) = check_paths(["empty"]).files
    assert [diagnostic.message for diagnostic in found.diagnostics] == [
        "there is no spec, recipe or experiment in empty"
    ]


def test_folder_with_too_many_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cnngraph.checking.finding.MAX_FILES", 3)
    assert all_codes(check_paths(["."])) == ["E501"]


def test_a_file_is_checked_once(folder: Path) -> None:
    assert len(check_paths(["net.yaml", "./net.yaml", str(folder / "net.yaml")]).files) == 1


def test_standard_input_imports_relative_to_its_name(folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "parts.yaml").write_text(BLOCKS)
    text = "cnngraph: 1\nimport: parts.yaml\ninput: [1, 2, 2]\nnodes: [twice]\n"
    (found,) = check_paths(["-"], standard_input=Source("sub/new.yaml", text)).files
    assert (found.file, found.ok) == ("sub/new.yaml", True)
    (found,) = check_paths(["-"], standard_input=Source("new.yaml", text)).files
    assert not found.ok


@pytest.mark.parametrize(("text", "kind"), [(RECIPE, Kind.RECIPE), (EXPERIMENT, Kind.EXPERIMENT)])
def test_standard_input_of_other_kinds(folder: Path, text: str, kind: Kind) -> None:
    (found,) = check_paths(["-"], standard_input=Source("new.yaml", text)).files
    assert (found.kind, found.diagnostics) == (kind, ())


def test_recipe_option_must_fit(folder: Path) -> None:
    assert all_codes(check_paths(["net.yaml"], CheckOptions(recipe="digits"))) == []
    assert all_codes(check_paths(["net.yaml"], CheckOptions(recipe="cifar"))) == ["E610"]
    assert all_codes(check_paths(["net.yaml"], CheckOptions(recipe="digitss"))) == ["E606"]
    assert all_codes(check_paths(["blocks.yaml"], CheckOptions(recipe="cifar"))) == []


def test_the_data_must_fit_the_network(folder: Path) -> None:
    asked: list[tuple[str, TensorType]] = []

    def read(recipe: Recipe, input_type: TensorType) -> ImageFacts:
        asked.append((recipe.name, input_type))
        return ImageFacts((1, 28, 28), 7, 100)

    options = CheckOptions(recipe="digits", images=read)
    assert all_codes(check_paths(["net.yaml"], options)) == ["E611"]
    assert asked == [("digits", TensorType.of((1, 28, 28)))]

    def missing(recipe: Recipe, input_type: TensorType) -> ImageFacts:
        raise SpecError.of("E620", "it is not here")

    assert all_codes(check_paths(["net.yaml"], CheckOptions(recipe="digits", images=missing))) == ["E620"]
    assert all_codes(check_paths(["net.yaml"], CheckOptions(images=read))) == ["E606"]  # no recipe says which data
    assert all_codes(check_paths(["both.yaml"], CheckOptions(images=read))) == ["E611"]


def test_an_error_of_some_combinations_lists_them(folder: Path) -> None:
    (folder / "wide.yaml").write_text(NET.replace("28, 28", "32, 32"))
    (folder / "both.yaml").write_text(
        "specs: [net.yaml, {spec: wide.yaml, label: wide}]\nrecipes: [mine.yaml]\nsettings: {train.epochs: [1, 2]}\n"
    )
    (found,) = check_paths(["both.yaml"]).files
    (diagnostic,) = found.diagnostics
    assert (diagnostic.code, diagnostic.line) == ("E610", 1)
    assert diagnostic.notes == ("in 2 of 4 combinations: wide · epochs 1, wide · epochs 2",)


def test_an_error_of_all_combinations_lists_none(folder: Path) -> None:
    (folder / "net.yaml").write_text(NET.replace("linear", "linaer"))
    (found,) = check_paths(["both.yaml"]).files
    assert [(diagnostic.code, diagnostic.notes) for diagnostic in found.diagnostics] == [("E313", ())]


def test_warnings_in_experiments_are_not_errors(folder: Path) -> None:
    (folder / "net.yaml").write_text(NET.replace("{classes: 10}", "{classes: 10, left: 3}"))
    (found,) = check_paths(["both.yaml"]).files
    assert (found.ok, [diagnostic.code for diagnostic in found.diagnostics]) == (True, ["W320"])
    assert found.facts == {"variants": 2, "runs": 4}


@pytest.mark.parametrize("name", ["recipes", "experiments", "blocks"])
def test_bundled_folders_have_no_errors(name: str) -> None:
    report = check_paths([str(LIBRARY / name)])
    assert report.ok
    assert len(report.files) == len(list((LIBRARY / name).glob("*.yaml")))
