"""`ignore` in specs, `--select` and `--ignore`: which warnings are reported."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cnngraph.checking import CheckOptions, check_paths
from cnngraph.compilation import compile_spec, compile_text
from cnngraph.diagnostics import Source
from cnngraph.language.write import write_spec
from cnngraph.lint.codes import all_codes
from cnngraph.lint.run import Lint
from cnngraph.lint.selection import OF_RUNS, Selection, UnknownCodeError, known_codes, select

HEAD = "cnngraph: 1\ninput: [8, 8, 8]\n"
ADD = "{op: add%s}"
IGNORED = ", ignore: {W401: more terms will be added}"


def codes(text: str, lint: Lint | None = None, folder: Path = Path("nowhere")) -> list[str]:
    compilation = (lint or Lint(own=True)).run(compile_text(Source("net.yaml", text), folder))
    return [diagnostic.code for diagnostic in compilation.diagnostics]


ADDS = HEAD + "blocks:\n  unit: [relu, {op: add%s}]\nnodes:\n  a: {op: unit%s}\n  b: {flat: true%s, nodes: {c: add}}\n"


@pytest.mark.parametrize(
    ("where", "left"),
    [
        (("", "", ""), ["W401", "W401"]),
        ((IGNORED, "", ""), ["W401"]),
        (("", IGNORED, ""), ["W401"]),  # the use that contains the block's nodes
        (("", "", IGNORED), ["W401"]),  # a flat scope has no path; it is found by its place in the text
        ((IGNORED, "", IGNORED), []),
    ],
)
def test_ignore_on_a_node_covers_its_inner_nodes(where: tuple[str, str, str], left: list[str]) -> None:
    assert codes(ADDS % where) == left


def test_ignore_on_a_block_covers_its_nodes() -> None:
    block = "blocks:\n  unit:\n    ignore: {W401: more terms, W320: kept for old scripts}\n    params: {old: 1}\n"
    assert codes(f"{HEAD}{block}    nodes: [relu, add]\nnodes: [unit]\n") == []


def test_ignore_at_the_top_covers_the_file(tmp_path: Path) -> None:
    text = HEAD + "ignore: {W401: a sketch}\nnodes: [relu, add, relu, concat]\n"
    (tmp_path / "base.yaml").write_text(text)
    assert codes(text) == []
    assert codes("cnngraph: 1\nextends: base.yaml\n", folder=tmp_path) == []
    unit = "blocks: {unit: [relu, add]}\n"
    (tmp_path / "blocks.yaml").write_text(f"cnngraph: 1\nignore: {{W401: its users pass lists}}\n{unit}")
    assert codes(f"{HEAD}import: blocks.yaml\nnodes: [unit]\n", folder=tmp_path) == []
    assert codes(f"{HEAD}import: blocks.yaml\nnodes: [unit, add]\n", folder=tmp_path) == ["W401"]


def test_ignore_at_the_top_covers_imported_files(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + "nodes: [relu, add]\n")
    assert codes("cnngraph: 1\nextends: base.yaml\n", folder=tmp_path) == ["W401"]
    assert codes("cnngraph: 1\nextends: base.yaml\nignore: {W401: as published}\n", folder=tmp_path) == []


def test_warnings_of_the_compiler_can_be_ignored(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + "blocks: {branch: relu}\nnodes: [branch]\n")
    variant = "cnngraph: 1\nextends: base.yaml\nblocks: {brnch: tanh}\n"
    assert codes(variant, folder=tmp_path) == ["W318"]
    assert codes(f"{variant}ignore: {{W318: it is to be used soon}}\n", folder=tmp_path) == []


WRONG = {
    "{W401: }": "`W401` needs a reason in `ignore`",
    "{W401: true}": "`W401` needs a reason in `ignore`",
    "{W401: ' '}": "`W401` needs a reason in `ignore`",
    "[W401]": "`ignore` must be a mapping",
    "W401": "`ignore` must be a mapping",
    "{E203: no}": "errors cannot be ignored",
    "{single-merge: no}": "`single-merge` is not a warning code",
}


@pytest.mark.parametrize("value", WRONG)
@pytest.mark.parametrize("text", ["nodes: [relu]\nignore: %s\n", "nodes:\n  a: {op: relu, ignore: %s}\n"])
def test_a_wrong_ignore_is_an_error(value: str, text: str) -> None:
    compilation = compile_text(Source("net.yaml", HEAD + text % value), Path("nowhere"))
    (error,) = compilation.diagnostics
    assert error.code == "E109"
    assert error.message.startswith(WRONG[value])


def test_too_many_entries_are_an_error() -> None:
    entries = "\n".join(f"  n{number}: {{op: relu, ignore: {{W401: no}}}}" for number in range(1_001))
    compilation = compile_text(Source("net.yaml", f"{HEAD}nodes:\n{entries}\n"), Path("nowhere"))
    assert [diagnostic.code for diagnostic in compilation.diagnostics] == ["E501"]


# -- an ignore that suppresses nothing


UNUSED = HEAD + "nodes: [relu]\nignore: {%s: no}\n"


def test_an_unused_ignore_is_reported_if_its_rule_was_run() -> None:
    assert codes(UNUSED % "W401") == ["W400"]
    assert codes(UNUSED % "W401", Lint(selection=Selection(select=("W400",)))) == []
    assert codes(UNUSED % "W401", Lint(selection=Selection(ignore=("W401",)))) == []
    assert codes(UNUSED % "W401", Lint(selection=Selection(ignore=("W400",)))) == []


def test_an_unused_ignore_of_a_rule_that_lacks_a_recipe_is_not_reported() -> None:
    text = "nodes: [flatten, {op: linear, out: 10}, softmax]\nignore: {W402: it is trained elsewhere}\n"
    assert codes(HEAD + text) == []


def test_an_unused_ignore_in_imported_files_and_changed_networks_is_not_reported(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(UNUSED % "W401")
    assert codes("cnngraph: 1\nextends: base.yaml\n", folder=tmp_path) == []
    swapped = tmp_path / "swapped.yaml"
    swapped.write_text("cnngraph: 1\ninput: [28, 28, 1]\nnodes: [relu]\nignore: {W403: lines of sensors}\n")
    changed = compile_text(Source("swapped.yaml", swapped.read_text()), tmp_path, input=None)
    assert Lint().run(changed).diagnostics == ()


def test_write_spec_keeps_ignores(tmp_path: Path) -> None:
    (tmp_path / "base.yaml").write_text(HEAD + f"nodes: [relu, {ADD % IGNORED}]\nignore: {{W320: kept}}\n")
    (tmp_path / "net.yaml").write_text("cnngraph: 1\nextends: base.yaml\nparams: {old: 1}\n")
    compilation = compile_spec(tmp_path / "net.yaml")
    assert [diagnostic.code for diagnostic in Lint().run(compilation).diagnostics] == ["W320"]
    assert compilation.spec is not None
    text = write_spec(compilation.spec)
    assert "ignore: {W320: kept}" in text
    assert codes(text) == []


# -- codes on the command line


def test_codes_are_selected_by_prefix() -> None:
    text = "cnngraph: 1\ninput: [28, 28, 1]\nparams: {old: 1}\nnodes: [relu, add]\n"
    assert codes(text) == ["W320", "W401", "W403"]
    for chosen, ignored, left in (
        (["W4"], [], ["W401", "W403"]),
        (["W403", "W320"], [], ["W320", "W403"]),
        ([], ["W4"], ["W320"]),
        (["W4"], ["W401"], ["W403"]),
        (["W"], ["W"], []),
    ):
        assert codes(text, Lint(selection=select(chosen, ignored))) == left


@pytest.mark.parametrize(
    ("code", "help"),
    [
        ("W4O1", "did you mean `W401`?"),
        ("X", "the codes are `W318`, `W319`, `W320`"),
        ("E203", "it is an error, and errors are always reported"),
        ("w401", "did you mean `W401`?"),
        ("W620", "it is reported by `cnngraph train` and `cnngraph experiment`, not by `cnngraph check`"),
        ("W62", "it is reported by `cnngraph train` and `cnngraph experiment`, not by `cnngraph check`"),
    ],
)
def test_selecting_an_unknown_code_is_an_error(code: str, help: str) -> None:
    for chosen, ignored in (([code], []), ([], [code])):
        with pytest.raises(UnknownCodeError, match=re.escape(f"no spec warning has the code `{code}`: {help}")):
            select(chosen, ignored)


def test_errors_are_always_reported() -> None:
    text = HEAD + "nodes: [{op: conv, out: 4, kernel: 99}]\n"
    assert codes(text, Lint(selection=Selection(select=("W401",), ignore=("W",)))) == ["E204"]


def test_known_codes_are_those_of_rules_and_compiler() -> None:
    warnings = {code for code in all_codes() if code.startswith("W")}
    assert warnings == {*known_codes(), *OF_RUNS}
    assert {"W318", "W320", "W400", "W401"} <= set(known_codes())
    assert not OF_RUNS.keys() & set(known_codes())


def test_an_ignore_of_a_warning_about_runs_says_who_reports_it() -> None:
    compilation = Lint().run(compile_text(Source("net.yaml", UNUSED % "W648"), Path("nowhere")))
    (warning,) = compilation.diagnostics
    assert warning.code == "W400"
    assert "it is reported by `cnngraph evaluate`, not by `cnngraph check`" in warning.message


@pytest.mark.parametrize("nodes", ["[branch]", "[branch, {op: conv, out: 4, kernel: 99}]"])
def test_a_warning_beside_an_error_is_selected_and_ignored_all_the_same(nodes: str, tmp_path: Path) -> None:
    errors = ["E204"] if "99" in nodes else []
    (tmp_path / "base.yaml").write_text(HEAD + f"blocks: {{branch: relu}}\nnodes: {nodes}\n")
    variant = "cnngraph: 1\nextends: base.yaml\nblocks: {brnch: tanh}\n"
    assert sorted(codes(variant, folder=tmp_path)) == sorted(["W318", *errors])
    assert codes(variant, Lint(selection=select([], ["W318"])), tmp_path) == errors
    assert codes(f"{variant}ignore: {{W318: it is to be used soon}}\n", folder=tmp_path) == errors


def test_a_warning_beside_an_error_of_an_experiments_spec_is_selected_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("base.yaml").write_text(HEAD + "blocks: {branch: relu}\nnodes: [branch, {op: conv, out: 4, kernel: 99}]\n")
    Path("net.yaml").write_text("cnngraph: 1\nextends: base.yaml\nblocks: {brnch: tanh}\n")
    Path("experiment.yaml").write_text("specs: [net.yaml]\nrecipes: [digits]\n")
    for ignored, expected in ([], {"W318", "E204"}), (["W318"], {"E204"}):
        report = check_paths(["experiment.yaml"], CheckOptions(selection=select([], ignored)))
        assert {diagnostic.code for file in report.files for diagnostic in file.diagnostics} == expected
