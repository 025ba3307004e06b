"""docs/notebook.ipynb runs, and its cells show drawings, messages and tables."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from tests.library import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")

PATH = ROOT / "docs" / "notebook.ipynb"


def shown(cell: Any) -> dict[str, str]:
    """What a cell shows, by MIME type; printed text is `text`."""
    found: dict[str, str] = {}
    for output in cell.outputs:
        found |= {"text": output.text} if output.output_type == "stream" else output.data
    return found


def test_the_notebook_runs_and_shows_its_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    monkeypatch.setenv("PYDEVD_DISABLE_FILE_VALIDATION", "1")
    notebook = nbformat.read(PATH, as_version=4)
    stored = {cell.id: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}
    nbclient.NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(tmp_path)}}).execute()
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
    if request.config.getoption("--refresh-golden"):
        nbformat.write(notebook, PATH)
        stored = {cell.id: shown(cell) for cell in notebook.cells if cell.cell_type == "code"}
    cells = {cell.id: cell for cell in notebook.cells if cell.cell_type == "code"}
    for name, before in stored.items():
        now = shown(cells[name])
        assert set(now) == set(before), cells[name].source
    by_source = {cell.source.splitlines()[-1]: shown(cell) for cell in cells.values()}
    assert "<svg" in by_source["graph"]["image/svg+xml"]
    assert by_source["model"]["image/svg+xml"] != by_source["graph"]["image/svg+xml"]
    assert by_source["model"]["text/plain"].startswith("Small(")
    for source in ('cnngraph.check("small.yaml")', "    display(error)"):
        assert "E202" in by_source[source]["text/html"]
    assert "<svg" in by_source["    display(error)"]["text/html"]
    assert by_source["result"]["text/html"].count("<tr>") == 4
    assert "data:image/png" in by_source["result"]["text/html"]
    assert by_source["measured"]["text/html"].count("data:image/png") == 2
    for source in ("cnngraph.localize(result, image)[0]", 'cnngraph.features(result, image, node="conv")'):
        assert by_source[source]["image/png"]
    assert "preserved" in by_source["migrated"]["text/html"]
