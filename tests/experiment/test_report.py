"""The report of an experiment: seeds, paired differences, drawings, and a page that fits any screen."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec
from cnngraph.experiment import drawings as module
from cnngraph.experiment.differences import difference, t_quantile
from cnngraph.experiment.drawings import MOST, drawings
from cnngraph.experiment.page import html_page, networks, table
from cnngraph.experiment.report import seed_notes, seed_rows
from cnngraph.experiment.results import Variant
from cnngraph.experiment_plan.plan import Plan, Trial
from cnngraph.packages import PackageError
from cnngraph.recipe import load_recipe
from cnngraph.runs.overview import RunRow


def run(seed: int, accuracy: float | None) -> RunRow:
    test = {} if accuracy is None else {"accuracy": accuracy, "loss": 1.0}
    return RunRow(
        Path("run"), "net", "digits", 10, 1, (), "test", None, {}, test, 1.0, True, "", {"seed": seed}, measured=False
    )


def variant(name: str, accuracies: dict[int, float | None]) -> Variant:
    return Variant(name, tuple(run(seed, accuracy) for seed, accuracy in accuracies.items()), 3, 10, 10)


@pytest.mark.parametrize(
    ("freedom", "expected"),
    [(1, 12.706), (2, 4.303), (10, 2.228), (11, 2.201), (20, 2.086), (30, 2.042), (100, 1.984), (999, 1.962)],
)
def test_quantiles_of_t(freedom: int, expected: float) -> None:
    assert t_quantile(freedom) == pytest.approx(expected, abs=6e-4)


def test_differences_are_paired_by_seed() -> None:
    first = variant("a", {0: 0.90, 1: 0.50, 2: 0.70, 5: 0.1})
    found = difference(variant("b", {2: 0.72, 0: 0.91, 1: 0.53, 7: 0.9, 5: None}), first)
    assert found
    assert found.seeds == 3
    assert found.mean == pytest.approx(0.02)
    margin = 4.303 * 0.01 / 3**0.5  # the deviation of 1, 2 and 3 points is 1 point
    assert found.low == pytest.approx(0.02 - margin, abs=1e-6)
    assert found.high == pytest.approx(0.02 + margin, abs=1e-6)
    assert str(found) == "+2.00 [-0.48, +4.48]"
    single = difference(variant("b", {5: 0.05}), first)
    assert single
    assert (single.low, single.high, single.seeds) == (None, None, 1)
    assert str(single) == "-5.00"
    assert difference(variant("b", {9: 0.9}), first) is None


def test_rows_seed_by_seed() -> None:
    variants = [variant("a", {0: 0.9, 1: 0.8}), variant("b", {1: 0.85}), variant("c", {})]
    assert seed_rows(variants) == [
        ["network", "seed 0", "seed 1", "difference to a"],
        ["a", "90.00", "80.00", ""],
        ["b", "", "85.00", "+5.00"],
        ["c", "", "", ""],
    ]
    assert "confidence interval" in seed_notes(variants)
    assert "one seed proves little" in seed_notes([variant("a", {0: 0.9}), variant("b", {0: 0.8})])
    assert seed_rows(variants[:1]) == []
    assert seed_rows([variant("a", {}), variant("b", {})]) == []


def plan_of(folder: Path, widths: list[int]) -> Plan:
    trials = []
    for width in widths:
        for lr in ("fast", "slow"):
            file = folder / f"net{width}.yaml"
            nodes = f"[{{op: conv, out: {width}, kernel: 3}}, relu, global_avg_pool]"
            file.write_text(f"cnngraph: 1\ninput: [1, 8, 8]\nnodes: {nodes}\n")
            compilation = compile_spec(str(file))
            assert compilation.graph
            assert compilation.spec
            name, recipe = f"{width}, {lr}", load_recipe("digits")
            trials.append(Trial(name, 0, name, compilation.graph, recipe, compilation.spec))
    return Plan("widths", "", tuple(trials))


def test_each_network_is_drawn_once(tmp_path: Path) -> None:
    drawn = drawings(plan_of(tmp_path, [2, 3]))
    assert [drawing.variants for drawing in drawn] == [("2, fast", "2, slow"), ("3, fast", "3, slow")]
    assert all("<svg" in drawing.svg for drawing in drawn)
    assert len(drawings(plan_of(tmp_path, list(range(1, MOST + 4))))) == MOST


def test_a_network_that_cannot_be_drawn_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def draw(*arguments: object) -> bytes:
        raise PackageError("pygraphviz is missing", "install it")

    monkeypatch.setattr(module, "draw", draw)
    assert drawings(plan_of(tmp_path, [2])) == []
    assert networks([]) == ""


def test_wide_content_scrolls_inside_the_page() -> None:
    """Measured in a browser: at 320 and 360 pixels the page itself does not scroll sideways."""
    page = html_page("name", [table([["network", "seed 0"], ["<a>", "1"]])])
    assert '<meta name="viewport" content="width=device-width, initial-scale=1">' in page
    assert re.search(r"\.scroll \{ overflow-x: auto", page)
    assert '<div class="scroll"><table>' in page
    assert "<td>&lt;a&gt;</td>" in page
    assert "@media (prefers-color-scheme: dark)" in page
    colours = re.findall(r"--(\w+): (#\w+)", page)
    light, dark = dict(colours[:4]), dict(colours[4:8])
    assert set(light) == set(dark)
    for scheme in (light, dark):
        assert contrast(scheme["ink"], scheme["paper"]) > 7  # WCAG AAA
        assert contrast(scheme["pale"], scheme["paper"]) > 4.5  # AA


def contrast(first: str, second: str) -> float:
    """The contrast ratio of WCAG."""

    def luminance(colour: str) -> float:
        parts = [int(colour[start : start + 2], 16) / 255 for start in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    dark, light = sorted((luminance(first), luminance(second)))
    return (light + 0.05) / (dark + 0.05)
