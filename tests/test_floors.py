"""Commands that need no PyTorch never load it: what import-linter cannot see, looked up in sys.modules."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.library import BLOCKS, NETWORKS

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
    """Which training libraries a new process has loaded after this code, which prints its modules on stderr."""
    ran = subprocess.run([sys.executable, "-c", code, *arguments], capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stderr
    return set(json.loads(ran.stderr.splitlines()[-1])).intersection(TRAINING_LIBRARIES)


def commands(folder: Path) -> dict[str, list[list[str]]]:
    specs = [str(each) for each in NETWORKS[::8]]
    return {
        "check": [["check", *specs, *map(str, BLOCKS)], ["check", "--format", "json", *specs]],
        "show": [["show", each] for each in specs],
        "render": [["render", each, "-o", str(folder / f"{Path(each).stem}.mmd"), "--depth", "1"] for each in specs],
        "render svg": [["render", specs[0], "-o", str(folder / "one.svg")]],
        "schema": [["schema"]],
        "help": [["--help"]],
    }


@pytest.mark.parametrize("command", commands(Path()))
def test_command_leaves_torch_alone(command: str, tmp_path: Path) -> None:
    assert loaded(RUN, json.dumps(commands(tmp_path)[command])) == set()


def test_loading_a_graph_leaves_torch_alone() -> None:
    code = (
        "import json, sys, cnngraph; cnngraph.load(sys.argv[1]); cnngraph.check(sys.argv[1]);"
        "print(json.dumps(list(sys.modules)), file=sys.stderr)"
    )
    assert loaded(code, str(NETWORKS[0])) == set()
