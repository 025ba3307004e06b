"""Missing and broken packages: every command, and the Python API, print the command that installs them."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cnngraph.packages import CORE, EXTRAS, PackageError, explain, explained, require
from tests.library import ROOT

SCRIPT = """
import contextlib, io, json, sys
from importlib.util import spec_from_loader
module, error, commands = sys.argv[1], sys.argv[2], json.loads(sys.argv[3])

class Broken:  # a package that is installed but cannot be imported
    def find_spec(self, name, path=None, target=None):
        return spec_from_loader(name, self) if name == module else None

    def create_module(self, spec):
        return None

    def exec_module(self, loaded):
        raise eval(error)

if error:
    sys.meta_path.insert(0, Broken())
else:
    sys.modules[module] = None
from cnngraph.cli.process import run
for arguments in commands:
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()) as errors:
        code = run(arguments)
    print(json.dumps([code, errors.getvalue()]))
try:
    import cnngraph
    cnngraph.build("net.yaml")
    print(json.dumps(""))
except ImportError as failure:
    print(json.dumps(str(failure)))
"""
BLOCKED = ""  # not installed: None in sys.modules
BROKEN = 'ImportError("libcudart.so.12: cannot open shared object file")'
UNLOADED = 'OSError("libcublas.so.12: cannot open shared object file")'
MISMATCHED = 'RuntimeError("operator torchvision::nms does not exist")'
SPEC = "{cnngraph: 1, input: [1, 28, 28], nodes: [flatten, {op: linear, out: 10}]}"
CHECK, SHOW, DOT = ["check", "net.yaml"], ["show", "net.yaml"], ["render", "net.yaml", "-o", "net.dot"]
SVG, PDF = ["render", "net.yaml", "-o", "net.svg"], ["render", "net.yaml", "-o", "net.pdf"]
BUILD = ["build", "net.yaml"]
WEIGHTS, TRAIN = ["weights", "net.yaml", "theirs.safetensors"], ["train", "net.yaml", "--recipe", "digits"]
EXPERIMENT = ["experiment", "net.yaml", "--recipe", "digits"]
RUNNING = [
    ["evaluate", "run"], ["predict", "run", "a.png"], ["localize", "run", "a.png"],
    ["features", "run", "a.png", "--node", "0"],
]  # fmt: skip
TRAIN_EXTRA = "'cnngraph[train]'"
TRAINING = [TRAIN, EXPERIMENT, *RUNNING]
PICTURES = [*TRAINING, ["runs", "-o", "runs.png"]]
SVHN = [*TRAIN, "--input", "3x32x32", "--set", "train.data=svhn", "--data-dir", "data"]
WITHOUT_PACKAGES = [CHECK, SHOW, DOT, SVG, ["schema"], ["list", "resnet18"]]


@pytest.mark.parametrize(
    ("module", "error", "commands", "message", "line"),
    [
        ("torch", BLOCKED, [BUILD, WEIGHTS, *TRAINING], "PyTorch is not installed", TRAIN_EXTRA),
        ("torch", BROKEN, [BUILD, TRAIN], "PyTorch cannot be imported (libcudart", "--force-reinstall torch"),
        ("torch", UNLOADED, [BUILD], "PyTorch cannot be imported (libcublas", "--force-reinstall torch"),
        ("torchvision", BLOCKED, TRAINING, "torchvision is not installed", TRAIN_EXTRA),
        ("torchvision", MISMATCHED, [TRAIN], "torchvision cannot be imported (operator", "--force-reinstall torch"),
        ("ignite", BLOCKED, TRAINING, "PyTorch-Ignite is not installed", TRAIN_EXTRA),
        ("safetensors", BLOCKED, [BUILD, WEIGHTS, *TRAINING], "safetensors is not installed", TRAIN_EXTRA),
        ("numpy", BLOCKED, TRAINING, "", TRAIN_EXTRA),
        ("matplotlib", BLOCKED, PICTURES, "matplotlib is not installed", TRAIN_EXTRA),
        ("PIL", BLOCKED, TRAINING, "Pillow is not installed", TRAIN_EXTRA),
        ("filelock", BLOCKED, [TRAIN, EXPERIMENT], "filelock is not installed", TRAIN_EXTRA),
        ("matplotlib", BLOCKED, [PDF], "matplotlib is not installed", "'cnngraph[draw]'"),
        ("scipy", BLOCKED, [SVHN], "scipy is not installed", "'cnngraph[svhn]'"),
        ("yaml", BLOCKED, [BUILD, CHECK, SHOW, PDF], "PyYAML is not installed", "pyyaml"),
    ],
)  # fmt: skip
def test_every_command_names_the_missing_package(
    tmp_path: Path, module: str, error: str, commands: list[list[str]], message: str, line: str
) -> None:
    (tmp_path / "net.yaml").write_text(SPEC)
    works = [] if module == "yaml" else WITHOUT_PACKAGES
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
    for arguments, (code, errors) in zip([*commands, *works], results, strict=True):
        if arguments in works:
            assert (code, errors) == (0, ""), arguments
            continue
        first, second = errors.splitlines()[-2:]  # without numpy, torch prints a warning first
        assert (code, first.startswith(f"error: {message}")) == (1, True), (arguments, errors)
        assert second.startswith(f"help: pip install {line}"), arguments
    if BUILD in commands:
        assert built.startswith(message)
        assert f": pip install {line}" in built
    assert not (tmp_path / "runs").exists()


API = """
import sys
for module in sys.argv[1:]:
    sys.modules[module] = None
import cnngraph
assert cnngraph.load("net.yaml").num_params and not list(cnngraph.check("net.yaml"))
cnngraph.render("net.yaml", "net.mmd")
cnngraph.render("net.yaml", "net.svg")
calls = [
    lambda: cnngraph.build("net.yaml"),
    lambda: cnngraph.load_weights(None, "theirs.safetensors"),
    lambda: cnngraph.train("net.yaml", recipe="digits"),
    lambda: cnngraph.experiment("net.yaml", recipes=["digits"]),
    lambda: cnngraph.evaluate("run"),
    lambda: cnngraph.predict("run", "a.png"),
    lambda: cnngraph.render("net.yaml", "net.pdf"),
]
for call in calls:
    try:
        call()
    except cnngraph.PackageError as error:
        print(error.help)
"""


def test_every_function_names_the_missing_extra(tmp_path: Path) -> None:
    """The core is enough for the language; every other function names the extra that it needs."""
    (tmp_path / "net.yaml").write_text(SPEC)
    blocked = [module for modules in EXTRAS.values() for module in modules]
    ran = subprocess.run(
        [sys.executable, "-c", API, *blocked],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env={"PYTHONPATH": str(ROOT)},
    )
    assert ran.stderr == ""
    assert ran.stdout.splitlines() == [f"pip install {TRAIN_EXTRA}"] * 6 + ["pip install 'cnngraph[draw]'"]


def test_the_command_line_without_click(tmp_path: Path) -> None:
    code = "import sys; sys.modules['click'] = None; from cnngraph.cli import main; main()"
    ran = subprocess.run(
        [sys.executable, "-c", code, "check"], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}
    )
    assert (ran.returncode, ran.stderr) == (1, "error: click is not installed\nhelp: pip install click\n")


def test_required_modules_match_pyproject() -> None:
    """The modules of each extra belong to the packages in pyproject.toml, all of which are installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    declared = {"core": project["dependencies"], **project["optional-dependencies"]}
    named = {"ignite": "pytorch-ignite", "PIL": "pillow", "yaml": "pyyaml"}
    for extra, modules in {"core": CORE, **EXTRAS}.items():
        packages = {re.split("[>=]", line)[0] for line in declared[extra]}
        assert packages == {named.get(module, module) for module in modules}
        require(*modules)
    assert declared["all"] == [f"cnngraph[{','.join(EXTRAS)}]"]
    with pytest.raises(PackageError, match="nix is not installed: pip install nix"):
        require("nix")


def test_other_errors_are_not_converted() -> None:
    with pytest.raises(ZeroDivisionError), explained():
        raise ZeroDivisionError
    assert explain(ImportError("cannot import name 'x' from 'cnngraph.api'", name="cnngraph.api")) is None
