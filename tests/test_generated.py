"""The files that are made from the definitions are fresh."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph import generate


@pytest.mark.parametrize("name", generate.FILES)
def test_a_generated_file_is_fresh(name: str) -> None:
    found = (generate.ROOT / name).read_text(encoding="utf-8")
    assert found == generate.FILES[name](), "run: python -m cnngraph.generate"


def test_what_is_stale_is_named_and_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    (tmp_path / "docs").mkdir()
    (tmp_path / "cnngraph").mkdir()
    (tmp_path / "docs" / "ops.md").write_text("old")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "docs/ops.md is stale\ndocs/recipes.md is stale\ncnngraph/schema.json is stale\n"
    assert (tmp_path / "docs" / "ops.md").read_text() == "old"
    assert generate.main([]) == 0
    assert generate.main(["--check"]) == 0
