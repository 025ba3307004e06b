"""`cnngraph check --fix` and `--diff`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import ONE, Cli

HEAD = "cnngraph: 1\ninput: [3, 32, 32]\n"
WRONG = HEAD + "nodes:\n  conv: {op: cnov, out: 8, kernel: 3}\n  pool: global_avg_pol\n"
RIGHT = WRONG.replace("cnov", "conv").replace("avg_pol", "avg_pool")


def test_fixes_are_applied_and_printed(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG)
    ran = cli("check", "net.yaml", "--fix")
    fixes = [
        "fixed net.yaml:4: replace `cnov` with `conv`",
        "fixed net.yaml:5: replace `global_avg_pol` with `global_avg_pool`",
    ]
    assert (ran.code, ran.err, ran.out.splitlines()[:2]) == (0, "", fixes)
    assert ran.out.splitlines()[2].startswith("net.yaml: ok, ")
    assert (folder / "net.yaml").read_text() == RIGHT


def test_remaining_errors_follow_the_fixes(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG + "  other: {op: xyzzyx, from: conv}\n")
    ran = cli("check", "net.yaml", "--fix")
    assert ran.code == 1
    assert ran.out.startswith("fixed net.yaml:4: replace `cnov` with `conv`\n")
    assert "error[E313]: there is no op or block `xyzzyx`" in ran.out
    assert ran.out.endswith("net.yaml: 1 error\n")


def test_diff_writes_nothing(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG)
    ran = cli("check", "net.yaml", "--diff")
    assert (ran.code, ran.err) == (1, "")
    assert ran.out.startswith("--- net.yaml\n+++ net.yaml\n@@ ")
    assert (folder / "net.yaml").read_text() == WRONG


def test_diff_of_a_valid_spec_is_empty(cli: Cli, one: str) -> None:
    assert cli("check", one, "--diff") == (0, "", "")


def test_remaining_errors_of_a_diff_go_to_stderr(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG.replace("cnov", "xyzzyx"))
    ran = cli("check", "net.yaml", "--diff")
    assert ran.code == 1
    assert "+  pool: global_avg_pool" in ran.out
    assert "there is no op or block `xyzzyx`" in ran.err


def test_fixes_of_a_shared_import_are_shown_once(cli: Cli, folder: Path) -> None:
    (folder / "blocks.yaml").write_text("cnngraph: 1\nblocks:\n  unit: {op: conv, out: 8, kernal: 3}\n")
    for name in ("a.yaml", "b.yaml"):
        (folder / name).write_text(HEAD + "import: [blocks.yaml]\nnodes: [unit, global_avg_pool]\n")
    ran = cli("check", "a.yaml", "b.yaml", "--diff")
    assert ran.out.count("+++ blocks.yaml") == 1
    ran = cli("check", "a.yaml", "b.yaml", "--fix")
    assert ran.code == 0
    assert ran.out.count("fixed blocks.yaml:3: replace `kernal` with `kernel`") == 1


def test_json_output_has_fixes_on_stderr(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG)
    ran = cli("check", "net.yaml", "--fix", "--format", "json")
    assert (ran.code, json.loads(ran.out)["ok"]) == (0, True)
    assert ran.err.startswith("fixed net.yaml:4: ")


def test_recipes_are_not_fixed(cli: Cli, folder: Path) -> None:
    (folder / "recipe.yaml").write_text("data: digits\nepochs: 3\noptimzer: {name: sgd, lr: 0.1}\n")
    before = (folder / "recipe.yaml").read_text()
    assert cli("check", "recipe.yaml", "--fix").code == 1
    assert (folder / "recipe.yaml").read_text() == before


@pytest.mark.parametrize("option", ["--fix", "--diff"])
def test_bundled_network_is_unchanged(cli: Cli, option: str) -> None:
    assert cli("check", "googlenet_mnist", option).code == 0


def test_read_only_file_is_reported(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(WRONG)
    (folder / "net.yaml").chmod(0o444)
    ran = cli("check", "net.yaml", "--fix")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err == "error: net.yaml: cannot fix it: the file is read-only\n"


def test_files_in_a_folder_are_fixed(cli: Cli, folder: Path) -> None:
    (folder / "deep").mkdir()
    for name in ("one.yaml", "deep/two.yaml"):
        (folder / name).write_text(ONE.replace("kernel: 3", "kernal: 3"))
    (folder / "mine.yaml").write_text("{data: digits, epochs: 1, optimizer: adam}\n")
    (folder / "other.yaml").write_text("services: {web: {image: kernal}}\n")
    before = (folder / "other.yaml").read_text()
    assert cli("check", ".", "--diff").code == 1
    ran = cli("check", ".", "--fix")
    assert ran.code == 0
    assert ran.out.count("\n") == 2 + 3 + 1
    assert [line.partition(" ")[0] for line in ran.out.splitlines()[:2]] == ["fixed", "fixed"]
    assert (folder / "other.yaml").read_text() == before
    assert cli("check", ".", "--diff").code == 0


def test_standard_input_is_not_fixed(cli: Cli) -> None:
    assert cli("check", "-", "--fix").code == 2
    assert cli("check", "-", "--diff").code == 2


LINTED = (
    HEAD.replace("[3, 32, 32]", "[32, 32, 3]")
    + "nodes: [global_avg_pool, {op: linear, out: 10}, softmax]\ntrain: digits\n"
)


def test_fixes_of_warnings_are_applied_unless_these_are_not_selected(cli: Cli, folder: Path) -> None:
    (folder / "net.yaml").write_text(LINTED)
    ran = cli("check", "net.yaml", "--fix", "--ignore", "W402")
    assert ran.out.startswith("fixed net.yaml:2: ")
    assert (folder / "net.yaml").read_text() == LINTED.replace("[32, 32, 3]", "[3, 32, 32]")
    assert "W402" not in ran.out
    ran = cli("check", "net.yaml", "--fix")
    assert ran.code == 0
    assert "softmax" not in (folder / "net.yaml").read_text()
