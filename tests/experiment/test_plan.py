"""Experiment plans: every combination becomes a run, and every error is reported at its place."""

from __future__ import annotations

from dataclasses import replace
from importlib import import_module
from pathlib import Path
from textwrap import dedent

import jsonschema
import pytest

from cnngraph import SpecError
from cnngraph.diagnostics import Diagnostic, Source
from cnngraph.document import Table, parse
from cnngraph.experiment.curves import Curves
from cnngraph.experiment.mismatched_runs import mismatched_runs
from cnngraph.experiment.report import markdown, page
from cnngraph.experiment.results import Variant
from cnngraph.experiment_plan.manual import experiment_manual
from cnngraph.experiment_plan.model import experiment_schema
from cnngraph.experiment_plan.plan import Plan, make_plan
from cnngraph.experiment_plan.reading import experiment_names, load_experiment, read_experiment
from cnngraph.recipe import to_yaml

NET = "{cnngraph: 1, input: [1, 28, 28], params: {classes: 10, width: 4}, nodes: [%s]}"
HEAD = "flatten, {op: linear, out: $width}, {op: linear, out: $classes}"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "net.yaml").write_text(NET % HEAD)
    (tmp_path / "other.yaml").write_text(NET % f"relu, {HEAD}")
    (tmp_path / "mine.yaml").write_text("{data: digits, epochs: 2, optimizer: adam}")
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")  # paths are relative to the experiment
    return tmp_path


def planned(text: str, folder: Path) -> Plan:
    value, errors = parse(Source("e.yaml", dedent(text)))
    assert not errors
    assert isinstance(value, Table)
    return make_plan(read_experiment(value, folder, "e"))


def errors_of(text: str, folder: Path) -> list[Diagnostic]:
    with pytest.raises(SpecError) as caught:
        planned(text, folder)
    return list(caught.value.diagnostics)


def test_every_combination(folder: Path) -> None:
    made = planned(
        """
        specs: [net.yaml, {spec: other.yaml, params: {width: 8}}, {spec: net.yaml, label: wide, params: {width: 9}}]
        recipes: [mine.yaml, digits]
        seeds: [3, 5]
        settings: {train.optimizer.lr: [0.1, 0.01], train.epochs: 4}
        """,
        folder,
    )
    assert len(made.trials) == 3 * 2 * 2 * 2 == len({trial.folder for trial in made.trials})
    assert [trial.seed for trial in made.trials] == [3] * 12 + [5] * 12
    assert made.variants[:4] == [
        "net · mine · optimizer.lr 0.1", "net · mine · optimizer.lr 0.01",
        "other, width 8 · mine · optimizer.lr 0.1", "other, width 8 · mine · optimizer.lr 0.01",
    ]  # fmt: skip
    trial = next(
        trial for trial in made.trials if trial.variant == "wide · digits · optimizer.lr 0.01" and trial.seed == 5
    )
    assert trial.folder == "wide-digits-optimizer.lr=0.01-epochs=4-seed5"
    assert (trial.recipe.optimizer.lr, trial.recipe.epochs, trial.recipe.seed) == (0.01, 4, 5)
    assert trial.recipe.batch_size == 32
    assert trial.graph.params["width"] == 9
    assert "seed: 5" in trial.spec_text


def test_a_setting_may_be_a_param_of_the_network(folder: Path) -> None:
    made = planned("{specs: [net.yaml], recipes: [mine.yaml], seeds: 1, settings: {width: [2, 3]}}", folder)
    assert [trial.graph.num_params for trial in made.trials] == [(784 + 1) * w + (w + 1) * 10 for w in (2, 3)]


def test_a_network_with_its_own_recipe(folder: Path) -> None:
    (trial, *others) = planned("{specs: [googlenet_mnist]}", folder).trials
    assert (trial.variant, trial.recipe.name, len(others)) == ("googlenet_mnist", "mnist", 2)
    (error,) = errors_of("specs: [net.yaml]", folder)
    assert (error.code, error.message) == ("E606", "no recipe: the spec has no `train`, and `--recipe` is missing")


@pytest.mark.parametrize(
    ("text", "code", "line", "message", "help"),
    [
        ("seeds: 3", "E604", 1, "an experiment needs `specs`: ", None),
        ("specs: [net.yaml]\nsettings: 3", "E603", 2, "`settings` must be a mapping from names to lists", None),
        ("specs: []", "E603", 1, "`specs` needs at least one network", None),
        ("specs: [net.yaml]\nseeds: []", "E603", 2, "`seeds` needs at least one seed", None),
        ("specs: [net.yaml]\nrecipes: []", "E603", 2, "`recipes` needs at least one recipe", None),
        ("specs: [net.yaml]\nseed: 3", "E602", 2, "an experiment has no key `seed`", "did you mean `seeds`?"),
        ("specs:\n- googlenet_mnits", "E311", 2, "there is no network", "did you mean `googlenet_mnist`?"),
        ("specs:\n- nowhere.yaml", "E101", 2, "cannot read", None),
        ("specs:\n- {spec: net.yaml, parms: 3}", "E602", 2, "`specs.0` has no key `parms`", "did you mean `params`?"),
        ("specs:\n- {spec: net.yaml, params: {with: 3}}", "E303", 2, "the spec has no param", "did you mean `width`?"),
        (
            "specs: [net.yaml]\nrecipes: [digit]",
            "E606",
            2,
            "there is no recipe called `digit`",
            "did you mean `digits`?",
        ),
        ("specs: [net.yaml]\nsettings: {train.epoch: [3]}", "E602", 2, "a recipe has no", "did you mean `epochs`?"),
        ("specs: [net.yaml]\nsettings:\n  train.epochs: [3, x]", "E603", 3, "`epochs` must be an integer", None),
        (
            "specs: [net.yaml]\nsettings: {train.seed: [3]}",
            "E605",
            2,
            "`train.seed` cannot be a setting",
            "use `seeds: [0, 1, 2]`",
        ),
        (
            "specs: [net.yaml, net.yaml]",
            "E661",
            1,
            "two runs of the experiment would have the same folder net-mine-seed0",
            None,
        ),
        (
            "specs: [net.yaml]\nseeds: [0, 0]",
            "E661",
            2,
            "two runs of the experiment would",
            "remove the second 0 from `seeds`",
        ),
        ("specs: net.yaml", "E603", 1, "`specs` must be a list", "write `specs: [net.yaml]`"),
        ("specs: [net.yaml]\nsettings: {epochs: [3]}", "E303", 2, "the spec has", "did you mean `train.epochs`?"),
        ("specs: [net.yaml]\nsettings: {classes: [9]}", "E611", 1, "embedded digits has 10 classes", None),
    ],
)
def test_errors(folder: Path, text: str, code: str, line: int, message: str, help: str | None) -> None:
    text += "" if "recipes" in text else "\nrecipes: [mine.yaml]"
    (error,) = errors_of(text, folder)
    assert (error.code, error.line) == (code, line)
    assert error.message.startswith(message)
    assert help is None or error.help == help


def test_all_errors_are_reported_at_once(folder: Path) -> None:
    found = errors_of("{specs: [googlenet_mnits, nowhere.yaml, net.yaml], recipes: [digit, mine.yaml]}", folder)
    assert sorted(diagnostic.code for diagnostic in found) == ["E101", "E311", "E606"]


def test_a_folder_of_another_run(folder: Path) -> None:
    text = "{specs: [net.yaml], recipes: [mine.yaml], seeds: 1, settings: {train.epochs: 3}}"
    (trial,) = planned(text, folder).trials
    run = folder / "runs" / trial.folder
    run.mkdir(parents=True)
    (run / "spec.yaml").write_text(trial.spec_text)
    (run / "recipe.yaml").write_text(to_yaml(trial.recipe))
    assert mismatched_runs(planned(text, folder), folder / "runs") == []
    (folder / "mine.yaml").write_text("{data: digits, epochs: 2, optimizer: adam, save_every: 5}")
    assert mismatched_runs(planned(text, folder), folder / "runs") == []
    (folder / "mine.yaml").write_text("{data: digits, epochs: 2, optimizer: adam, batch_size: 5}")
    (error,) = mismatched_runs(planned(text, folder), folder / "runs")
    assert (error.code, str(run) in error.message) == ("E662", True)
    (folder / "mine.yaml").write_text("{data: digits, epochs: 2, optimizer: adam}")
    (folder / "net.yaml").write_text(NET % f"relu, {HEAD}")
    assert [run.code for run in mismatched_runs(planned(text, folder), folder / "runs")] == ["E662"]


@pytest.mark.parametrize("name", experiment_names())
def test_bundled_experiments_are_valid(name: str) -> None:
    described = load_experiment(name)
    assert len(make_plan(described).variants) == 6
    assert described.experiment.about
    jsonschema.validate(described.table.plain(), experiment_schema())


def test_the_example_of_the_documentation(folder: Path) -> None:
    text = experiment_manual().partition("```yaml\n")[2].partition("```")[0]
    (folder / "mine.yaml").write_text(NET % HEAD)
    made = planned(text, folder)
    assert (len(made.trials), made.variants[2]) == (18, "projected · optimizer.lr 0.002")


def test_the_schema_of_experiments() -> None:
    check = jsonschema.Draft7Validator(experiment_schema()).is_valid
    assert check({"specs": ["net", {"spec": "net", "params": {"a": 1}}], "seeds": [1, 2], "settings": {"a": [1]}})
    assert not check({"specs": "net"})
    assert not check({"specs": ["net"], "seed": 3})


TIMES_40 = str(list(range(1, 41)))


def with_settings(count: int, values: str) -> str:
    settings = ", ".join(f"train.k{number}: {values}" for number in range(count))
    return f"{{specs: [net.yaml], recipes: [mine.yaml], settings: {{{settings}}}}}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            with_settings(8, TIMES_40),
            "an experiment can have at most 1,000 variants, but this one has 6,553,600,000,000",
        ),
        (
            with_settings(40, TIMES_40),
            "an experiment can have at most 1,000 variants, but this one has about 10^64",
        ),
        (
            f"{{specs: [net.yaml], recipes: [mine.yaml], seeds: {list(range(100_000))}}}",
            "an experiment can have at most 10,000 runs, but this one has 100,000",
        ),
        (
            f"{{specs: [net.yaml], recipes: {[f'missing{number}' for number in range(50_000)]}}}",
            "an experiment can have at most 1,000 variants, but this one has 50,000",
        ),
        (
            f"{{specs: {['net.yaml'] * 1001}, recipes: [mine.yaml]}}",
            "an experiment can have at most 1,000 variants, but this one has 1,001",
        ),
        (
            f"{{specs: [net.yaml], recipes: [mine.yaml], seeds: 1000, settings: {{train.optimizer.lr: {TIMES_40}}}}}",
            "an experiment can have at most 10,000 runs, but this one has 40,000",
        ),
        (
            with_settings(101, "1"),
            "an experiment can have at most 100 settings, but this one has 101",
        ),
    ],
)
def test_limits_of_an_experiment(folder: Path, monkeypatch: pytest.MonkeyPatch, text: str, message: str) -> None:
    """For an experiment that is too large, nothing is looked up, compiled or combined."""

    def fail(*arguments: object, **options: object) -> None:
        raise AssertionError

    for function in ("product", "compile_spec", "find_recipe", "find_table"):
        monkeypatch.setattr(import_module("cnngraph.experiment_plan.plan"), function, fail)
    (error,) = errors_of(text, folder)
    assert (error.code, error.message) == ("E505", message)


def test_the_number_of_errors_is_limited_to_100(folder: Path) -> None:
    found = errors_of(f"{{specs: [net.yaml], recipes: {[f'missing{number}' for number in range(900)]}}}", folder)
    assert [diagnostic.code for diagnostic in found] == ["E606"] * 100 + ["E504"]


def test_an_error_in_all_combinations_is_reported_once(folder: Path) -> None:
    (error,) = errors_of(
        "{specs: [gone.yaml], recipes: [mine.yaml], seeds: 500, settings: {train.epochs: [1, 2, 3]}}", folder
    )
    assert error.code == "E101"


def test_long_labels_are_truncated_in_folder_names(folder: Path) -> None:
    long = "ä" * 5000
    made = planned(
        f"{{specs: [{{spec: net.yaml, label: {long}}}, {{spec: net.yaml, label: {long}b}}], recipes: [mine.yaml]}}",
        folder,
    )
    names = {trial.folder for trial in made.trials}
    assert len(names) == 6
    for name in names:
        (folder / name).mkdir()


STRANGE = 'a|b `c` <script>alert(1)</script> \x1b[31m\u202e\n# forged \udcff [d](e) "q"'


def test_names_are_escaped_in_reports(folder: Path) -> None:
    (trial,) = planned("{specs: [net.yaml], recipes: [mine.yaml], seeds: 1}", folder).trials
    strange = Plan(STRANGE, STRANGE, (replace(trial, variant=STRANGE),))
    row = Variant(STRANGE, (), 1, 10, 20)
    text = markdown(strange, [row], curves=False)
    assert not {"\x1b", "\u202e", "\udcff"} & set(text)
    (line,) = [line for line in text.splitlines() if line.startswith("| a")]
    assert line.startswith(
        r"| a\|b \`c\` \<script\>alert(1)\</script\> \\x1b[31m\\u202e\\n# forged \\xff \[d\](e)".replace(
            r"b[31m", r"b\[31m"
        )
    )
    assert "\n# forged" not in text
    html = page(strange, [row], Curves("", "", "", ""))
    assert not {"\x1b", "\u202e", "\udcff"} & set(html)
    assert "<script" not in html
    assert "a|b `c` &lt;script&gt;" in html
    assert "&quot;q&quot;" in html
