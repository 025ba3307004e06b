"""A package that is missing or broken is one line to paste, for every command that needs it and in Python."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cnngraph.packages import NEEDED, PackageError, explain, explained, require
from tests.library import ROOT

SCRIPT = """
import contextlib, io, json, sys
module, error, commands = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

class Finder:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == module:
            raise eval(error, {"name": name})

sys.meta_path.insert(0, Finder())
from cnngraph.cli.process import run
for words in commands:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = run(words)
    print(json.dumps([code, errors.getvalue()]))
try:
    import cnngraph
    cnngraph.build("net.yaml")
    print(json.dumps(""))
except ImportError as failure:
    print(json.dumps(str(failure)))
"""
MISSING = 'ModuleNotFoundError(f"No module named {name!r}", name=name)'
BROKEN = 'ImportError("libcudart.so.12: cannot open shared object file")'
UNLOADED = 'OSError("libcublas.so.12: cannot open shared object file")'
MISMATCHED = 'RuntimeError("operator torchvision::nms does not exist")'
SPEC = "{cnngraph: 1, input: [1, 28, 28], nodes: [flatten, {op: linear, out: 10}]}"
CHECK, SHOW, DOT = ["check", "net.yaml"], ["show", "net.yaml"], ["render", "net.yaml", "-o", "net.dot"]
SVG, BUILD = ["render", "net.yaml", "-o", "net.svg"], ["build", "net.yaml"]
WEIGHTS, TRAIN = ["weights", "net.yaml", "theirs.safetensors"], ["train", "net.yaml", "--recipe", "digits"]
EXPERIMENT = ["experiment", "net.yaml", "--recipe", "digits"]
RUNNING = [
    ["evaluate", "run"], ["predict", "run", "a.png"], ["localize", "run", "a.png"],
    ["features", "run", "a.png", "--node", "0"],
]  # fmt: skip
TRAINING = [TRAIN, EXPERIMENT, *RUNNING]
NEVER = [CHECK, SHOW, DOT, ["schema"], ["list", "resnet18"]]


@pytest.mark.parametrize(
    ("module", "error", "commands", "message", "line"),
    [
        ("torch", MISSING, [BUILD, WEIGHTS, *TRAINING], "PyTorch is not installed", "torch torchvision"),
        ("torch", BROKEN, [BUILD, TRAIN], "PyTorch cannot be imported (libcudart", "--force-reinstall torch"),
        ("torch", UNLOADED, [BUILD], "PyTorch cannot be imported (libcublas", "--force-reinstall torch"),
        ("torchvision", MISSING, TRAINING, "torchvision is not installed", "torch torchvision"),
        ("torchvision", MISMATCHED, [TRAIN], "torchvision cannot be imported (operator", "--force-reinstall torch"),
        ("ignite", MISSING, TRAINING, "PyTorch-Ignite is not installed", "pytorch-ignite"),
        ("safetensors", MISSING, [BUILD, WEIGHTS, *TRAINING], "safetensors is not installed", "safetensors"),
        ("numpy", MISSING, TRAINING, "", "numpy"),
        ("matplotlib", MISSING, [TRAIN, EXPERIMENT], "matplotlib is not installed", "matplotlib"),
        ("pygraphviz", MISSING, [SVG], "pygraphviz is not installed", "pygraphviz"),
        ("yaml", MISSING, [BUILD, CHECK, SHOW, SVG], "PyYAML is not installed", "pyyaml"),
    ],
)  # fmt: skip
def test_every_command(
    tmp_path: Path, module: str, error: str, commands: list[list[str]], message: str, line: str
) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    works = [] if module == "yaml" else NEVER
    ran = subprocess.run(
        [sys.executable, "-c", SCRIPT, module, error, json.dumps([*commands, *works])],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT), "PATH": ""},
        timeout=300,
        check=True,
    )
    *results, built = map(json.loads, ran.stdout.splitlines())
    for words, (code, errors) in zip([*commands, *works], results, strict=True):
        if words in works:
            assert (code, errors) == (0, ""), words
            continue
        first, second = errors.splitlines()[-2:]  # without numpy, torch has a warning first
        assert (code, first.startswith(f"error: {message}")) == (1, True), (words, errors)
        assert second.startswith(f"help: pip install {line}"), words
    if BUILD in commands:
        assert built.startswith(message)
        assert f": pip install {line}" in built
    assert not (tmp_path / "runs").exists()


def test_without_the_packages_of_the_command_line(tmp_path: Path) -> None:
    code = "import sys; sys.modules['click'] = None; from cnngraph.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "check"], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert (ran.returncode, ran.stderr) == (1, "error: click is not installed\nhelp: pip install click\n")


def test_what_we_need_is_what_we_declare() -> None:
    for each in NEEDED:
        require(each)
    with pytest.raises(PackageError, match="nix is not installed: pip install nix"):
        require("nix")


def test_other_errors_are_left_alone() -> None:
    with pytest.raises(ZeroDivisionError), explained():
        raise ZeroDivisionError
    assert explain(ImportError("cannot import name 'x' from 'cnngraph.api'", name="cnngraph.api")) is None
