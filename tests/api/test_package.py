"""The package itself: what importing it costs, its names, and functions that are called like rooms."""

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
    """The modules that a new process has loaded after this code."""
    code = f"{code}\nimport json, sys; print(json.dumps(list(sys.modules)), file=sys.stderr)"
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, env={"PYTHONPATH": str(ROOT)}, timeout=120
    )
    assert (ran.returncode, ran.stdout) == (0, ""), ran.stderr
    return set(json.loads(ran.stderr.splitlines()[-1]))


def test_importing_it_is_cheap() -> None:
    loaded = modules_after("import cnngraph")
    assert loaded.isdisjoint(HEAVY)
    assert sum(name.startswith("cnngraph.") for name in loaded) <= 3


def test_a_notebook_without_training_loads_no_pytorch() -> None:
    loaded = modules_after(NOTEBOOK)
    assert loaded.isdisjoint({"torch", "numpy", "rich", "click", "matplotlib"})


def test_every_name_is_there() -> None:
    for name in cnngraph.__all__:
        assert getattr(cnngraph, name) is not None
        assert name in dir(cnngraph)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = cnngraph.nothing


@pytest.mark.parametrize("name", ["train", "render", "experiment"])
def test_a_function_wins_over_the_room_of_its_name(name: str) -> None:
    room = import_module(f"cnngraph.{name}")
    function = getattr(cnngraph, name)
    assert isinstance(function, FunctionType)
    assert sys.modules[f"cnngraph.{name}"] is room


def test_in_a_process_without_any_stream(tmp_path: Path) -> None:
    """As in a kernel: no terminal, no argv to speak of, stdin closed."""
    code = (
        "import sys; sys.stdin = None\n"
        f"namespace = {{}}; exec(compile({NOTEBOOK!r}, '<cell 1>', 'exec'), namespace)\n"
        "assert namespace['drawing']._repr_svg_().count('<svg') == 1\n"
        "assert not namespace['found'].errors\n"
    )
    modules_after(code)
