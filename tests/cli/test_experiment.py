from __future__ import annotations

from pathlib import Path

import pytest

from tests.cli.conftest import Cli

TINY = """\
cnngraph: 1
name: {name}
input: [1, 28, 28]
nodes: [{{op: max_pool, kernel: 4}}, flatten, {{op: linear, out: 10}}]
train: {{data: digits, epochs: 1, batch_size: 200, optimizer: {{name: sgd, lr: 0.1}}, device: cpu}}
"""


@pytest.fixture
def two(folder: Path) -> None:
    for name in ("one", "two"):
        (folder / f"{name}.yaml").write_text(TINY.format(name=name))


@pytest.mark.usefixtures("two")
def test_comparing_specs(cli: Cli) -> None:
    ran = cli("experiment", "one.yaml", "two.yaml", "--seeds", "1")
    assert (ran.code, ran.err) == (0, "")
    *data, first, second, blank, header, one, two, _, page = ran.out.splitlines()
    assert [line.partition(":")[0] for line in data] == ["train", "validation", "test"]
    assert first.startswith("1/2   one   seed 0   ")
    assert second.startswith("2/2   two   seed 0   ")
    assert (blank, header.split()[:2], one.split()[0], two.split()[0]) == ("", ["network", "accuracy"], "one", "two")
    assert page == "runs/one+two/report.html"
    assert Path(page).is_file()
    again = cli("experiment", "one.yaml", "two.yaml", "--seeds", "1")
    assert again.out.count("kept") == 2


@pytest.mark.usefixtures("two")
def test_experiment_file(cli: Cli) -> None:
    Path("both.yaml").write_text("{specs: [one.yaml, two.yaml], seeds: 1}")
    ran = cli("experiment", "both.yaml", "--out", "there", "--quiet")
    assert (ran.code, ran.out, ran.err) == (0, "", "")
    assert Path("there/report.md").is_file()
    ran = cli("experiment", "both.yaml", "--recipe", "digits")
    assert (ran.code, "an experiment has its own recipes" in ran.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "shortcut_digits",
            "error[E660]: there is no experiment called `shortcut_digits`\n  help: did you mean `shortcuts_digits`",
        ),
        ("nowhere.yaml", "error[E101]: cannot read nowhere.yaml: file not found"),
        ("list.yaml", "error[E601]: list.yaml is not an experiment: it must be a mapping"),
        ("broken.yaml", "error[E102]"),
        ("word.yaml", "error[E602]: an experiment has no key `spec`\n --> word.yaml:1:2"),
    ],
)
def test_errors(cli: Cli, folder: Path, name: str, message: str) -> None:
    for stem, text in (("list", "[a]"), ("broken", "{a: ["), ("word", "{spec: [one]}")):
        (folder / f"{stem}.yaml").write_text(text)
    ran = cli("experiment", name)
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith(message)


def test_torchrun_is_rejected(cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "LOCAL_RANK"):
        monkeypatch.setenv(name, "0")
    for name in ("WORLD_SIZE", "MASTER_ADDR", "MASTER_PORT"):
        monkeypatch.setenv(name, "2")
    assert cli("experiment", "shortcuts_digits").err.startswith(
        "error: invalid value for experiment: torchrun can only run"
    )


@pytest.mark.usefixtures("two")
def test_dry_run(cli: Cli, folder: Path) -> None:
    words = ("experiment", "one.yaml", "two.yaml", "--seeds", "2")
    before = sorted(folder.rglob("*"))
    ran = cli(*words, "--dry-run")
    assert (ran.code, ran.err) == (0, "")
    *images, header, one, two, where, end = ran.out.splitlines()
    assert len(images) == 3
    assert header.split() == [
        "variant",
        "parameters",
        "data",
        "epochs",
        "steps",
        "finished",
        "to",
        "resume",
        "to",
        "train",
    ]
    assert one.split() == ["one", "500", "embedded", "digits", "1", "27", "0", "0", "2"]
    assert two.split()[0] == "two"
    assert where.startswith("runs/one+two · cpu, ")
    assert end == "dry run: nothing was trained or written"
    assert sorted(folder.rglob("*")) == before
    assert cli("experiment", "one.yaml", "two.yaml", "--seeds", "1", "--quiet").code == 0
    after = sorted(folder.rglob("*"))
    assert [line.split()[-3:] for line in cli(*words, "--dry-run").out.splitlines()[4:6]] == 2 * [["1", "0", "1"]]
    assert cli("experiment", "one.yaml", "two.yaml", "--seeds", "1", "--dry-run").out.splitlines()[4].endswith("0")
    assert sorted(folder.rglob("*")) == after


@pytest.mark.usefixtures("two")
def test_dry_run_finds_errors(cli: Cli, folder: Path) -> None:
    text = (folder / "two.yaml").read_text().replace("data: digits", "data: folder")
    (folder / "two.yaml").write_text(text)
    ran = cli("experiment", "one.yaml", "two.yaml", "--dry-run", "--data-dir", "nowhere")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.count("error[") == 1
    assert "error[E621]" in ran.err
