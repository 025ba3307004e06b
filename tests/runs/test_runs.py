"""`cnngraph runs` lists complete and damaged run folders."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cnngraph.runs.comparison import comparison_figure, selected
from cnngraph.runs.overview import RunRow, read_run
from tests.cli.conftest import Cli
from tests.test_floors import RUN, loaded


@pytest.fixture
def three(finished: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Three runs in a folder: the original, a worse one with another learning rate, and an unfinished one."""
    monkeypatch.chdir(tmp_path)
    for number in (2, 10, 3):
        shutil.copytree(finished, tmp_path / "runs" / f"net-{number}")
    worse, cut_off = tmp_path / "runs" / "net-10", tmp_path / "runs" / "net-3"
    change(worse / "metrics.json", test={"loss": 2.0, "accuracy": 0.125}, seconds=1000)
    text = (worse / "recipe.yaml").read_text()
    (worse / "recipe.yaml").write_text(text.replace("seed: 0", "seed: 7"))
    change(cut_off / "metrics.json", finished=False, test=None, seconds=0.001, best_epoch=1)
    change(cut_off / "metrics.json", epochs=json.loads((cut_off / "metrics.json").read_text())["epochs"][:1])
    return tmp_path


def change(file: Path, **changes: object) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), **changes}))


@pytest.mark.usefixtures("three")
def test_the_table_is_in_numeric_order(cli: Cli) -> None:
    ran = cli("runs")
    assert ran.code == 0, ran.err
    header, *lines = ran.out.splitlines()
    assert " ".join(header.split()) == "run test best epochs parameters seconds state network data recipe"
    assert [line.split()[0] for line in lines[:3]] == ["runs/net-2", "runs/net-3", "runs/net-10"]
    assert " ".join(lines[0].split()[5:]).startswith("2/2 3,178")
    assert "1/2        3,178       0.0   unfinished   spots     embedded digits   seed 0" in lines[1]
    assert "12.50 %" in lines[2]
    assert "1,000.0   finished     spots     embedded digits   seed 7" in lines[2]
    assert lines[-1] == "3 runs"


def test_listing_does_not_import_torch(finished: Path) -> None:
    assert loaded(RUN, json.dumps([["runs", str(finished)]])) == set()


@pytest.mark.usefixtures("three")
@pytest.mark.parametrize(
    ("sort", "order"), [("test", [2, 10, 3]), ("seconds", [3, 2, 10]), ("parameters", [2, 3, 10]), ("name", [2, 3, 10])]
)
def test_sorted_as_json(cli: Cli, sort: str, order: list[int]) -> None:
    rows = json.loads(cli("runs", "--sort", sort, "--format", "json").out)
    assert [row["run"] for row in rows] == [f"runs/net-{number}" for number in order]


def test_the_columns_of_the_table(cli: Cli, three: Path) -> None:
    (row,) = json.loads(cli("runs", "runs/net-2", "--format", "json").out)
    metrics = json.loads((three / "runs/net-2/metrics.json").read_text())
    best = metrics["epochs"][metrics["best_epoch"] - 1]
    assert row["test"] == metrics["test"]
    assert row["best"] == {"loss": best["validation_loss"], "accuracy": best["validation_accuracy"]}
    assert (row["state"], row["epochs"], row["epochs_done"], row["network"]) == ("finished", 2, 2, "spots")
    assert row["recipe"]["optimizer"]["name"]


def test_all_curves_in_one_picture(cli: Cli, three: Path) -> None:
    for ending in ("svg", "png"):
        ran = cli("runs", "-o", f"all.{ending}")
        assert (ran.code, ran.out.splitlines()[-1]) == (0, f"curves: all.{ending}, 3 runs")
    text = (three / "all.svg").read_text()
    for number in (2, 3, 10):
        assert f"<!-- net-{number}, validation -->" in text


def replace_in_recipe(run: Path, old: str, new: str) -> None:
    """Replace a text in the recipe of a run."""
    text = (run / "recipe.yaml").read_text()
    assert old in text
    (run / "recipe.yaml").write_text(text.replace(old, new))


def test_only_choices_of_recipes_are_listed(cli: Cli, three: Path) -> None:
    """Measured values and the saving interval are no choices; explicit settings are."""
    one, two, other = (three / "runs" / f"net-{number}" for number in (2, 3, 10))
    for run, mean in ((one, 0.1), (two, 0.2)):
        spec = (run / "spec.yaml").read_text()
        (run / "spec.yaml").write_text(f"{spec}train: {{data: folder, epochs: 2, optimizer: adam, normalize: data}}\n")
        replace_in_recipe(run, "normalize: data", f"normalize: {{mean: [{mean}], std: [0.3]}}")
    replace_in_recipe(two, "save_every: 300", "save_every: 7")
    lines = cli("runs", one, two).out.splitlines()
    assert all(line.endswith("embedded digits") for line in lines[1:3])
    replace_in_recipe(other, "normalize: data", "normalize: {mean: [0.1], std: [0.3]}")
    lines = cli("runs", one, other).out.splitlines()
    assert "   normalize data, " in lines[1]
    assert "normalize.mean [0.1]" in lines[2]


def test_a_run_of_one_epoch_has_one_tick(three: Path) -> None:
    for axes in comparison_figure(selected([read_run(three / "runs/net-3")])).axes:
        low, high = axes.get_xlim()
        assert [tick for tick in axes.get_xticks() if low <= tick <= high] == [1]


def test_values_of_damaged_files_are_left_out(cli: Cli, three: Path) -> None:
    place = three / "runs/net-2"
    (place / "metrics.json").write_text("no JSON")
    (place / "recipe.yaml").write_text("[")
    (place / "spec.yaml").write_text("cnngraph: 1\nnodes: [nothing]")
    ran = cli("runs", place, "--format", "json")
    (row,) = json.loads(ran.out)
    assert (row["state"], row["parameters"], row["test"], row["data"]) == ("damaged", None, None, "embedded digits")
    assert [problem.partition(" is damaged")[0] for problem in row["problems"][:1]] == [str(place / "metrics.json")]
    assert ran.code == 1
    assert f"error[E645]: {place / 'metrics.json'} is damaged: not valid JSON" in ran.err
    assert "recipe.yaml:2" in ran.err
    ran = cli("runs", place, "-o", "none.png")
    assert ran.code == 1
    assert ran.err.endswith("error: no run has finished an epoch: there is nothing to draw\n")


@pytest.mark.usefixtures("folder")
def test_no_runs(cli: Cli) -> None:
    assert cli("runs").err == "error: there is no folder runs\n"
    Path("runs/empty").mkdir(parents=True)
    ran = cli("runs")
    assert (ran.code, ran.err) == (1, "error: there are no runs in runs\n")
    assert cli("runs", "runs", "-o", "picture.gif").code == 2


def row(network: str, number: int, accuracy: float, split: str = "test", **params: Any) -> RunRow:
    """A run of two epochs."""
    epochs = tuple(
        {
            "epoch": epoch,
            "train_loss": 1.0,
            "train_accuracy": 0.5,
            f"{split}_loss": 1.0,
            f"{split}_accuracy": accuracy / (3 - epoch),
        }
        for epoch in (1, 2)
    )
    path = Path(f"runs/{network}-{number}")
    run = RunRow(path, network, "digits", 10, 2, epochs, split, None, {}, {}, 1.0, True, "", {}, measured=False)
    return replace(run, params=params, variant=repr(params))


def test_many_runs_are_grouped_by_network() -> None:
    rows = [row(f"net{kind}", number, (kind + number / 20) / 12) for number in range(10) for kind in range(12)]
    figure = comparison_figure(selected(rows))
    assert figure.get_suptitle() == (
        "30 of 120 runs are drawn: the best 3 of each network; 2 other networks are left out"
    )
    (legend,) = figure.legends
    labels = [text.get_text() for text in legend.get_texts()]
    assert labels[0] == "net11: best of 10 runs, net11-9, 95.42 % test"
    assert [label.partition(":")[0] for label in labels] == [f"net{kind}" for kind in range(11, 1, -1)]
    _, accuracy = figure.axes
    assert len(accuracy.lines) == 30
    lines: list[Any] = list(accuracy.lines)
    assert [float(line.get_ydata()[-1]) for line in lines[:2]] == pytest.approx([95.4167, 95.0], abs=1e-3)
    assert accuracy.lines[0].get_linewidth() > accuracy.lines[1].get_linewidth()
    colours = [line.get_color() for line in accuracy.lines]
    assert len(set(colours)) == 10
    assert colours[0] == colours[1] == colours[2] != colours[3]
    figure.draw_without_rendering()
    high = figure.get_size_inches()[1] * figure.dpi
    assert accuracy.get_window_extent().height > high / 3  # the legend does not fill the picture


def test_variants_of_a_network_are_groups_of_their_own() -> None:
    joins = ("add", "gate")
    rows = [
        row("net", number, 0.5 + 0.1 * (join == "add"), width=8, join=join) for number in range(6) for join in joins
    ]
    figure = comparison_figure(selected(rows))
    labels = [text.get_text().partition(":")[0] for text in figure.legends[0].get_texts()]
    assert labels == ["net, join add", "net, join gate"]
    colours = [line.get_color() for line in figure.axes[1].lines]
    assert colours == [colours[0]] * 3 + [colours[3]] * 3
    assert colours[0] != colours[3]


def test_the_same_spec_with_other_params_is_another_variant(finished: Path, tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    for run in (one, two):
        shutil.copytree(finished, run)
    assert read_run(one).variant == read_run(two).variant
    spec = (two / "spec.yaml").read_text()
    (two / "spec.yaml").write_text(spec.replace("classes: 10", "classes: 10, unused: 1"))
    assert read_run(one).variant != read_run(two).variant
    assert read_run(two).params["unused"] == 1


@pytest.mark.parametrize(("best", "drawn", "colours"), [(1, 12, 12), (4, 48, 12), (0, 60, 12), (None, 30, 10)])
def test_how_many_runs_are_drawn_can_be_chosen(best: int | None, drawn: int, colours: int) -> None:
    rows = [row(f"net{kind}", number, (kind + number / 20) / 12) for number in range(5) for kind in range(12)]
    selection = selected(rows, best)
    figure = comparison_figure(selection)
    assert len(figure.axes[1].lines) == drawn
    assert len({line.get_color() for line in figure.axes[1].lines}) == colours
    assert selection.summary == (f"{drawn} of 60 runs" if drawn < 60 else "60 runs")
    assert figure.get_suptitle().startswith(f"{selection.summary} are drawn")


def test_the_axes_name_the_split() -> None:
    def titles(*splits: str) -> list[str]:
        rows = [row("net", number, 0.5, split) for number, split in enumerate(splits)]
        return [axes.get_title(loc="left") for axes in comparison_figure(selected(rows)).axes]

    assert titles("validation") == ["validation loss (dotted: training)", "validation accuracy, % (dotted: training)"]
    assert titles("test", "validation")[0] == "test or validation loss (dotted: training)"


@pytest.mark.usefixtures("three")
def test_the_best_run_of_each_network(cli: Cli) -> None:
    assert cli("runs", "-o", "best.svg", "--best", "1").out.splitlines()[-1] == "curves: best.svg, 1 of 3 runs"
    assert cli("runs", "-o", "best.svg", "--best", "all").out.splitlines()[-1] == "curves: best.svg, 3 runs"
    assert "--best chooses the runs that -o draws; add -o FILE" in cli("runs", "--best", "1").err
    assert cli("runs", "-o", "best.svg", "--best", "0").code == 2


def test_ten_runs_are_drawn_one_by_one() -> None:
    figure = comparison_figure(selected([row("net", number, 0.5) for number in range(10)]))
    assert len(figure.legends[0].get_texts()) == 10
    assert figure.get_suptitle() == ""


@pytest.mark.parametrize("count", [1, 6, 10, 11])
def test_long_names_are_not_cut_off_by_the_picture(count: int) -> None:
    rows = [row("residual_network_" * 3 + str(number), number, 0.5) for number in range(count)]
    figure = comparison_figure(selected(rows))
    figure.draw_without_rendering()
    (legend,) = figure.legends
    box = legend.get_window_extent()
    assert box.x0 >= 0
    assert box.x1 <= figure.bbox.x1
    assert len({text.get_text() for text in legend.get_texts()}) == min(count, 10)
