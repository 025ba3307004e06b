"""Project metadata: version, build metadata, and the pre-commit hook."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import yaml

from cnngraph.cli.app import COMMANDS
from cnngraph.version import __version__
from tests.library import NETWORKS, ROOT


def read(name: str) -> Any:
    return yaml.safe_load((ROOT / name).read_text(encoding="utf-8"))


def test_the_version_is_the_same_everywhere() -> None:
    assert read("CITATION.cff")["version"] == __version__
    headings = re.findall(r"^## (\S+)", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), re.MULTILINE)
    assert headings[0] == __version__
    assert len(headings) == len(set(headings))


def test_the_citation_matches_the_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    citation = read("CITATION.cff")
    assert citation["license"] == project["license"]
    assert [author["name"] for author in citation["authors"]] == [author["name"] for author in project["authors"]]


def test_the_hook_checks_specs(tmp_path: Path) -> None:
    """Run the hook like pre-commit: the entry, followed by the changed files."""
    (hook,) = read(".pre-commit-hooks.yaml")
    program, command, *options = shlex.split(hook["entry"])
    assert (program, command in COMMANDS, hook["language"]) == ("cnngraph", True, "python")
    wrong = tmp_path / "wrong.yaml"
    wrong.write_text("cnngraph: 1\ninput: [3, 8, 8]\nnodes: [rellu]\n")

    def run(*files: Path) -> int:
        arguments = [sys.executable, "-m", "cnngraph", command, *options, *map(str, files)]
        return subprocess.run(arguments, capture_output=True, cwd=ROOT).returncode

    assert run(*NETWORKS[:2]) == 0
    assert run(NETWORKS[0], wrong) == 1
