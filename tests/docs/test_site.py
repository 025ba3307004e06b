"""The documentation site builds without warnings and documents every public name."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import cnngraph
from tests.library import ROOT

pytest.importorskip("mkdocs")
pytest.importorskip("mkdocstrings")


def test_the_site_builds_without_warnings(tmp_path: Path) -> None:
    ran = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(tmp_path)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_MKDOCS_2_WARNING": "1"},
        timeout=300,
    )
    assert ran.returncode == 0, ran.stderr
    assert "WARNING" not in ran.stderr
    page = (tmp_path / "reference" / "python" / "index.html").read_text(encoding="utf-8")
    shown = {name.rpartition(".")[2] for name in re.findall(r'<h3 id="([\w.]+)"', page)}
    assert shown == set(cnngraph.__all__) - {"__version__"}
    assert (tmp_path / "guide" / "how-it-works" / "index.html").is_file()
