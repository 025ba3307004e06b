"""The package: lazy imports, public names, and functions with the name of a subpackage."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib import import_module
from pathlib import Path
from types import FunctionType

import pytest

import cnngraph
from tests.library import ROOT

HEAVY = ["torch", "numpy", "rich", "click", "yaml", "matplotlib", "networkx", "jsonschema"]
NOTEBOOK = """
import cnngraph
graph = cnngraph.load("googlenet_mnist", classes=4)
found = cnngraph.check("googlenet_mnist", classes=4)
drawing = cnngraph.render(graph, depth=1)
"""


def modules_after(code: str) -> set[str]:
    """The modules that a new process has loaded after running code."""
    code = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=120
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    return set(json.loads(ran.stderr.splitlines()[-1]))


def test_importing_the_package_is_cheap() -> None:
    loaded = modules_after("import cnngraph")
    assert loaded.isdisjoint(HEAVY)
    assert sum(name.startswith("cnngraph.") for name in loaded) <= 3


def test_compiling_does_not_import_torch() -> None:
    loaded = modules_after(NOTEBOOK)
    assert loaded.isdisjoint({"torch", "numpy", "rich", "click", "matplotlib"})


def test_every_public_name_exists() -> None:
    for name in cnngraph.__all__:
        assert getattr(cnngraph, name) is not None
        assert name in dir(cnngraph)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cnngraph.nothing


@pytest.mark.parametrize("name", ["train", "render", "experiment"])
def test_a_function_takes_precedence_over_a_subpackage(name: str) -> None:
    room = import_module(f"cnngraph.{name}")
    function = getattr(cnngraph, name)
    assert isinstance(function, FunctionType)
    assert sys.modules[f"cnngraph.{name}"] is room


def test_without_standard_streams(tmp_path: Path) -> None:
    """As in a notebook kernel: no terminal, no arguments, stdin closed."""
    code = (
        "import sys; sys.stdin = None\n"
        f"namespace = {{}}; exec(compile({NOTEBOOK!r}, '<cell 1>', 'exec'), namespace)\n"
        "assert namespace['drawing']._repr_svg_().count('<svg') == 1\n"
        "assert not namespace['found'].errors\n"
    )
    modules_after(code)
