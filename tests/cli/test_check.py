from __future__ import annotations

import json
from io import BytesIO, TextIOWrapper
from pathlib import Path

import pytest
from PIL import Image

import cnngraph
from tests.cli.conftest import ONE, Cli
from tests.library import BLOCKS, CHOSEN, LIBRARY

WRONG = ONE.replace("kernel: 3", "kernal: 3")


def test_valid_file_prints_one_line(cli: Cli, one: str) -> None:
    assert cli("check", one) == (0, "one.yaml: ok, 2,682 parameters, 9.47 k MACs\n", "")


def test_bundled_files_are_valid(cli: Cli) -> None:
    files = [*CHOSEN, *BLOCKS, *LIBRARY.glob("recipes/*.yaml")]  # library.json has only networks without errors
    ran = cli("check", *files)
    assert ran.code == 0
    assert [line.rpartition(": ok, ")[0] for line in ran.out.splitlines()] == [str(file) for file in files]


def test_errors_are_printed_to_stdout(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    ran = cli("check", "wrong.yaml")
    assert ran.code == 1
    assert ran.out.startswith("error[E207]: `conv` has no parameter `kernal`\n --> wrong.yaml:7:31, node conv\n")
    assert ran.out.endswith("fix: replace `kernal` with `kernel`\n\nwrong.yaml: 1 error\n")
    assert ran.err == ""


def test_each_file_has_a_verdict(cli: Cli, one: str, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    ran = cli("check", one, "wrong.yaml", "nowhere.yaml")
    assert ran.code == 1
    ends = [line for line in ran.out.splitlines() if line.split(": ")[0] in {one, "wrong.yaml", "nowhere.yaml"}]
    assert ends == ["one.yaml: ok, 2,682 parameters, 9.47 k MACs", "wrong.yaml: 1 error", "nowhere.yaml: 1 error"]
    assert "cannot read nowhere.yaml: file not found" in ran.out


def test_json_fields(cli: Cli, one: str, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    ran = cli("check", one, "wrong.yaml", "--format", "json")
    assert ran.code == 1
    found = json.loads(ran.out)
    good, wrong = found["files"]
    place = {"file": "wrong.yaml", "line": 7, "column": 31, "end_line": 7, "end_column": 37}
    edit = {**place, "text": "kernel"}
    assert (found["ok"], found["skipped"]) == (False, [])
    facts = {"parameters": 2682, "macs": 9472}
    assert good == {"file": "one.yaml", "kind": "spec", "ok": True, "facts": facts, "diagnostics": []}
    assert wrong == {
        "file": "wrong.yaml",
        "kind": "spec",
        "ok": False,
        "facts": {},
        "diagnostics": [
            {
                "code": "E207",
                "severity": "error",
                "message": "`conv` has no parameter `kernal`",
                **place,
                "node": "conv",
                "notes": [],
                "causes": [],
                "help": "did you mean `kernel`?",
                "suggestions": ["kernel"],
                "fixes": [{"title": "replace `kernal` with `kernel`", "edits": [edit]}],
            }
        ],
    }


def test_at_most_50_errors_are_printed(cli: Cli, folder: Path) -> None:
    nodes = "".join(f"  n{number}: {{op: conv, out: 4, kernel: 1, kernal: 1}}\n" for number in range(60))
    (folder / "wrong.yaml").write_text(f"cnngraph: 1\ninput: [3, 8, 8]\nnodes:\n{nodes}")
    ran = cli("check", "wrong.yaml")
    assert ran.out.count("error[E207]") == 50
    assert ran.out.endswith("\n\n… and 10 more\n\nwrong.yaml: 60 errors\n")
    assert len(json.loads(cli("check", "wrong.yaml", "--format", "json").out)["files"][0]["diagnostics"]) == 60


def test_set_and_input_change_the_network(cli: Cli, one: str) -> None:
    ran = cli("check", one, "--set", "out=2", "--input", "1x4x4")
    assert ran.out == "one.yaml: ok, 350 parameters, 608 MACs\n"


def test_invalid_set_value_is_underlined(cli: Cli, one: str) -> None:
    ran = cli("check", one, "--set", "outt=2")
    assert ran.code == 1
    assert "error[E303]: the spec has no param `outt`\n --> command line:1:12\n" in ran.out
    assert "1 | --set outt=2\n" in ran.out
    assert "help: did you mean `out`?" in ran.out


def test_set_takes_any_yaml_value(cli: Cli, folder: Path) -> None:
    spec = ONE.replace("{out: 4}", "{widths: [4], table: {out: 4}, out: $widths.0 + $table.out}")
    (folder / "one.yaml").write_text(spec)
    ran = cli("check", "one.yaml", "--set", "widths=[1, 2]", "--set", "table={out: 3}")
    assert ran.out == cli("check", "one.yaml", "--set", "out=4").out
    assert cli("check", "one.yaml", "--set", "out=2 * $widths.0").out != ran.out


TWO = """\
cnngraph: 1
input: {left: [1, 4, 4], right: [2, 4, 4]}
nodes: {both: {op: concat, from: [left, right], expect: [3, _, _]}}
"""


def test_input_shapes_by_name(cli: Cli, folder: Path) -> None:
    (folder / "two.yaml").write_text(TWO)
    assert cli("check", "two.yaml", "--input", "left=1x6x6", "--input", "right=2x6x6").code == 0
    assert cli("check", "two.yaml", "--input", "left=1x4x4").code == 0
    assert "error[E203]" in cli("check", "two.yaml", "--input", "left=1x6x6").out


@pytest.mark.parametrize(
    ("text", "message", "help"),
    [
        ("lefd=1x4x4", "the spec has no input `lefd`", "did you mean `left`?"),
        ("1x4x4", "the spec has the inputs `left`, `right`", "name the input: `--input left=3x224x224`"),
    ],
)
def test_unknown_input(cli: Cli, folder: Path, text: str, message: str, help: str) -> None:
    (folder / "two.yaml").write_text(TWO)
    ran = cli("check", "two.yaml", "--input", text)
    assert ran.code == 1
    assert message in ran.out
    assert help in ran.out


def test_name_of_the_only_input(cli: Cli, one: str) -> None:
    ran = cli("check", one, "--input", "left=1x4x4")
    assert ran.code == 1
    assert "the spec has a single input" in ran.out


@pytest.mark.parametrize("text", ["3x", "x3", "3,8,8", "0x8x8", "left=", "=3x8x8", "3x8x8 ", "-3x8x8", "", "3x-1x8"])
def test_invalid_input_shape_is_wrong_usage(cli: Cli, one: str, text: str) -> None:
    ran = cli("check", one, "--input", text)
    assert ran.code == 2
    assert "is not a shape such as 3x224x224" in ran.err


@pytest.mark.parametrize("inputs", [["3x8x8", "3x8x8"], ["a=3x8x8", "3x8x8"], ["a=3x8x8", "a=3x8x8"]])
def test_several_inputs_need_names(cli: Cli, one: str, inputs: list[str]) -> None:
    assert cli("check", one, *[word for text in inputs for word in ("--input", text)]).code == 2


@pytest.mark.parametrize("text", ["out", "out=", "=4", "out=[1", "a b=3", "train=3", "", "out=&a 3", "3=4"])
def test_invalid_set_is_wrong_usage(cli: Cli, one: str, text: str) -> None:
    ran = cli("check", one, "--set", text)
    assert ran.code == 2
    assert ran.err.startswith("error: invalid value for --set: ")


def test_max_nodes_limits_the_network(cli: Cli, one: str) -> None:
    assert cli("check", one, "--max-nodes", 4).code == 0
    ran = cli("check", one, "--max-nodes", 3)
    assert ran.code == 1
    assert "error[E5" in ran.out


def test_a_recipe_in_the_spec_is_checked(cli: Cli, folder: Path) -> None:
    (folder / "one.yaml").write_text(ONE + "train: {data: mnist, epochs: 0, optimizer: {name: sgd, lr: 0.1}}\n")
    ran = cli("check", "one.yaml")
    assert ran.code == 1
    assert "error[E603]: `epochs` must be an integer from 1 to 1,000,000, got `0`\n  --> one.yaml:10:30\n" in ran.out


def test_recipe_that_does_not_fit_its_network_is_a_warning(cli: Cli, folder: Path) -> None:
    """Following the help removes the warning."""
    nodes = "nodes: [global_avg_pool, flatten, {op: linear, out: $classes}]"
    (folder / "odd.yaml").write_text(f"cnngraph: 1\nparams: {{classes: 7}}\ninput: [1, 8, 6]\ntrain: mnist\n{nodes}\n")
    ran = cli("check", "odd.yaml")
    assert ran.code == 0
    assert "warning[W610]: the network expects 1×8×6 images, but those of MNIST are 1×28×28\n" in ran.out
    assert "warning[W611]: MNIST has 10 classes, but the network's output is 7\n" in ran.out
    assert ran.out.count("= the spec's own recipe cannot train this network\n") == 2
    assert ran.out.endswith("odd.yaml: ok, 2 warnings, 14 parameters, 7 MACs\n")
    fixed = cli("check", "odd.yaml", "--set", "train.data.resize=[8, 6]", "--set", "classes=10")
    assert fixed.out == "odd.yaml: ok, 20 parameters, 10 MACs\n"
    assert [diagnostic.code for diagnostic in cnngraph.check(folder / "odd.yaml", classes=10)] == ["W610"]


def test_set_changes_recipe_keys(cli: Cli, folder: Path) -> None:
    (folder / "one.yaml").write_text(ONE + "train: {data: mnist, epochs: 1, optimizer: adam}\n")
    assert cli("check", "one.yaml", "--set", "train.epochs=3", "--set", "train.optimizer.lr=0.1").code == 0
    ran = cli("check", "one.yaml", "--set", "train.epochs=3.5")
    assert "1 | --set train.epochs=3.5\n" in ran.out
    assert cli("check", "one.yaml", "--set", "train.optimizer.lrr=0.1").code == 1


def test_recipe_file_is_checked(cli: Cli, folder: Path) -> None:
    (folder / "mine.yaml").write_text("data: mnist\nepochs: 1\noptimizer: adam\nepoch: 3\n")
    ran = cli("check", "mine.yaml")
    assert ran.code == 1
    assert ran.out.startswith("error[E602]: a recipe has no key `epoch`\n --> mine.yaml:4:1\n")
    assert ran.out.endswith("mine.yaml: 1 error\n")


PLUGIN = '''
from dataclasses import dataclass
from typing import ClassVar
from cnngraph.ops.op import Op

@dataclass(frozen=True)
class Halve(Op):
    """Half of it."""
    name: ClassVar[str] = "halve"
    kind: ClassVar[str] = "arithmetic"
    def code(self, arguments, *inputs):
        return f"{arguments[0]} / 2"
'''


def test_plugin_in_the_working_directory(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.path", [path for path in __import__("sys").path if path])
    (folder / "one.yaml").write_text(ONE.replace("act: relu", "act: halve"))
    (folder / "halving_ops.py").write_text(PLUGIN)
    assert cli("check", "one.yaml").code == 1
    assert cli("check", "one.yaml", "--plugin", "halving_ops").code == 0
    ran = cli("check", "one.yaml", "--plugin", "no_such_ops")
    assert ran.code == 1
    assert "error[E317]: cannot load the plugin `no_such_ops`" in ran.out


def test_control_characters_are_escaped(cli: Cli, folder: Path) -> None:
    (folder / "wrong.yaml").write_text(ONE.replace("act: relu", r'act: "\e[31mrelu"'))
    ran = cli("check", "wrong.yaml")
    assert ran.code == 1
    assert "\x1b" not in ran.out
    assert "there is no op or block `\\x1b[31mrelu`" in ran.out
    printed = cli("check", "wrong.yaml", "--format", "json").out
    assert "\x1b" not in printed
    assert json.loads(printed)["files"][0]["diagnostics"][0]["message"] == "there is no op or block `\x1b[31mrelu`"


def test_quoted_number_is_shown_with_quotes(cli: Cli, one: str) -> None:
    Path(one).write_text(Path(one).read_text().replace("out: 10", 'out: "10"'))
    ran = cli("check", one)
    assert 'must be an integer of at least 1, got `"10"`\n' in ran.out
    assert "  fix: write it without quotes\n" in ran.out


def test_a_folder(cli: Cli, one: str, folder: Path) -> None:
    (folder / "sub").mkdir()
    (folder / "sub" / "wrong.yaml").write_text(WRONG)
    (folder / "compose.yaml").write_text("services: {web: {image: x}}\n")
    ran = cli("check", ".")
    assert ran.code == 1
    assert ran.out.startswith("one.yaml: ok, 2,682 parameters, 9.47 k MACs\n\nerror[E207]")
    assert ran.out.endswith("sub/wrong.yaml: 1 error\nskipped 1 YAML file: not a spec, recipe or experiment\n")
    assert json.loads(cli("check", ".", "--format", "json").out)["skipped"] == ["compose.yaml"]


def typed(text: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", TextIOWrapper(BytesIO(text)))


def test_standard_input(cli: Cli, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    typed(WRONG.encode(), monkeypatch)
    ran = cli("check", "-", "--stdin-name", "deep/net.yaml")
    assert ran.code == 1
    assert " --> deep/net.yaml:7:31, node conv\n" in ran.out
    assert ran.out.endswith("\ndeep/net.yaml: 1 error\n")
    typed(ONE.encode(), monkeypatch)
    assert cli("check", "-").out == "<stdin>: ok, 2,682 parameters, 9.47 k MACs\n"
    typed(b"\xff\x00", monkeypatch)
    assert (cli("check", "-").code, "UTF-16" in cli("check", "-").err) == (1, False)


@pytest.mark.parametrize("text", [b"\xff\xfe\x00", b"cnngraph: \xe9\n", b" " * 4_000_001])
def test_standard_input_that_is_not_text(cli: Cli, monkeypatch: pytest.MonkeyPatch, text: bytes) -> None:
    typed(text, monkeypatch)
    ran = cli("check", "-")
    assert (ran.code, ran.out) == (1, "")
    assert ran.err.startswith("error[E")
    assert "<stdin>" in ran.err


def test_an_experiment(cli: Cli, folder: Path) -> None:
    (folder / "both.yaml").write_text("specs: [googlenet_mnist]\nrecipes: [digits]\nsettings: {train.epochs: [1, 0]}\n")
    ran = cli("check", "both.yaml")
    assert ran.code == 1
    assert "error[E603]: `epochs` must be an integer from 1 to 1,000,000, got `0`\n --> both.yaml:3:30\n" in ran.out
    assert "  = in 1 of 2 combinations: googlenet_mnist · epochs 0\n" in ran.out
    assert cli("check", "shortcuts").out == "shortcuts: ok, an experiment with 6 variants and 18 runs\n"


def test_recipe_and_data(cli: Cli, one: str, folder: Path) -> None:
    """Recipe and data must fit as in `train`."""
    ran = cli("check", one, "--recipe", "digits")
    assert ran.code == 1
    assert "error[E610]: the network expects 3×8×8 images, but those of embedded digits are 1×28×28\n" in ran.out
    fine = ("check", "googlenet_mnist", "--recipe", "digits")
    size = "googlenet_mnist: ok, 97,298 parameters, 6.02 M MACs, fits the recipe digits"
    assert cli(*fine).out == f"{size}\n"
    assert cli(*fine, "--data-dir", ".").out == f"{size} and its data: 5,400 training images of 10 classes\n"
    ran = cli("check", "googlenet_mnist", "--data-dir", ".")
    assert (ran.code, "error[E620]: MNIST is not in .\n" in ran.out) == (1, True)
    assert list(folder.iterdir()) == [folder / one]
    assert cli("check", one, "--data-dir", "nowhere").code == 2


def test_a_folder_of_images(cli: Cli, folder: Path) -> None:
    for name in ("cats", "dogs", "owls"):
        (folder / "photos" / name).mkdir(parents=True)
        for number in range(5):
            Image.new("RGB", (32, 32), (50 * number, 99, 0)).save(folder / "photos" / name / f"{number}.png")
    (folder / "net.yaml").write_text(
        "cnngraph: 1\nparams: {classes: 10}\ninput: [3, 32, 32]\n"
        "nodes: [global_avg_pool, flatten, {op: linear, out: $classes}]\n"
    )
    (folder / "mine.yaml").write_text("{data: folder, epochs: 1, optimizer: adam, validation: 0.2}\n")
    words = ("check", "net.yaml", "--recipe", "mine.yaml", "--data-dir", "photos")
    ran = cli(*words)
    assert ran.code == 1
    assert "error[E611]: the folder has 3 classes, but the network's output is 10\n" in ran.out
    assert "fits the recipe mine and its data: 12 training images of 3 classes" in cli(*words, "--set", "classes=3").out


@pytest.mark.parametrize("format", ["github", "sarif"])
def test_other_formats(cli: Cli, one: str, folder: Path, format: str) -> None:
    (folder / "wrong.yaml").write_text(WRONG)
    ran = cli("check", one, "wrong.yaml", "--format", format)
    assert (ran.code, ran.err) == (1, "")
    if format == "sarif":
        (result,) = json.loads(ran.out)["runs"][0]["results"]
        assert result["ruleId"] == "E207"
    else:
        assert ran.out.startswith("::error file=wrong.yaml,line=7,endLine=7,col=31,endColumn=37,")
    assert cli("check", one, "--format", format).code == 0
