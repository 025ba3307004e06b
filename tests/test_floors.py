"""Imports: commands that do not need PyTorch never load it, no import cycles, every module in its layer."""

from __future__ import annotations

import ast
import json
import subprocess
import sys
import tomllib
from pathlib import Path

import networkx
import pytest

from tests.library import BLOCKS, NETWORKS, ROOT

PACKAGE = ROOT / "cnngraph"
MODULES = {
    ".".join(path.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__"): path
    for path in PACKAGE.rglob("*.py")
}
TRAINING_LIBRARIES = ["torch", "torchvision", "ignite", "matplotlib", "tensorboard"]

RUN = """
import json, sys
from cnngraph.cli import main

for arguments in json.loads(sys.argv[1]):
    sys.argv = ["cnngraph", *arguments]
    try:
        main()
    except SystemExit as end:
        assert not end.code, (arguments, end.code)
print(json.dumps(list(sys.modules)), file=sys.stderr)
"""


def loaded(code: str, *arguments: str) -> set[str]:
    """The training libraries that a new process has loaded after running code that prints sys.modules to stderr."""
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stderr.splitlines()[-1])).intersection(TRAINING_LIBRARIES)


def commands(folder: Path) -> dict[str, list[list[str]]]:
    specs = [str(spec) for spec in NETWORKS[::8]]
    return {
        "check": [["check", *specs, *map(str, BLOCKS)], ["check", "--format", "json", *specs]],
        "show": [["show", spec] for spec in specs],
        "render": [["render", spec, "-o", str(folder / f"{Path(spec).stem}.mmd"), "--depth", "1"] for spec in specs],
        "render svg": [["render", specs[0], "-o", str(folder / "one.svg")]],
        "schema": [["schema"]],
        "help": [["--help"]],
    }


@pytest.mark.parametrize("command", commands(Path()))
def test_commands_do_not_import_torch(command: str, tmp_path: Path) -> None:
    assert loaded(RUN, json.dumps(commands(tmp_path)[command])) == set()


def test_loading_a_graph_does_not_import_torch() -> None:
    code = (
        "import json, sys, cnngraph; cnngraph.load(sys.argv[1]); cnngraph.check(sys.argv[1]);"
        "print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    assert loaded(code, str(NETWORKS[0])) == set()


def imported_by(path: Path) -> set[str]:
    """The modules of cnngraph that a module imports, including imports in functions and under TYPE_CHECKING."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("cnngraph"):
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                found.add(inner if inner in MODULES else node.module)
        elif isinstance(node, ast.Import):
            found.update(name.name for name in node.names if name.name in MODULES)
    return found


def test_there_are_no_import_cycles() -> None:
    graph = networkx.DiGraph((module, other) for module, path in MODULES.items() for other in imported_by(path))
    assert [
        sorted(component) for component in networkx.strongly_connected_components(graph) if len(component) > 1
    ] == []


MAX_FILE, MAX_FUNCTION = 400, 60  # lines
LONG_FILES: dict[str, str] = {}
LONG_FUNCTIONS = {
    "api/drawing.py: render": "as many arguments as `render` has options, each with its line, and their documentation",
    "api/training.py: train": "twenty arguments, each with its line, and their documentation",
}


def test_files_and_functions_are_short() -> None:
    """A longer one needs a reason in LONG_FILES or LONG_FUNCTIONS."""
    files = {name: path.read_text(encoding="utf-8") for path in MODULES.values() for name in [_name(path)]}
    long_files = {name for name, text in files.items() if text.count("\n") > MAX_FILE}
    long_functions = {
        f"{name}: {node.name}"
        for name, text in files.items()
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
        if (node.end_lineno or node.lineno) - node.lineno + 1 > MAX_FUNCTION
    }
    assert long_files == LONG_FILES.keys()
    assert long_functions == LONG_FUNCTIONS.keys()


def _name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def test_every_package_is_in_a_layer() -> None:
    """A new package must be added to the layers and to the lists of modules that may not import PyTorch or yaml."""
    with (ROOT / "pyproject.toml").open("rb") as file:
        layers, torch, _, yaml = tomllib.load(file)["tool"]["importlinter"]["contracts"]
    placed = {room.strip() for layer in layers["layers"] for room in layer.split("|")}
    rooms = {".".join(module.split(".")[:2]) for module in MODULES if module.count(".")} - {"cnngraph.__main__"}
    assert placed == rooms
    assert rooms - set(torch["source_modules"]) == {
        *(
            f"cnngraph.{room}"
            for room in ("api", "backend", "cli", "errors_page", "experiment", "generate", "runs", "train", "version")
        ),
    }
    assert rooms - set(yaml["source_modules"]) == {"cnngraph.document"}
