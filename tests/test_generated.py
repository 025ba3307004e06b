"""Generated files are up to date."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cnngraph import generate
from cnngraph.catalogue import sections
from cnngraph.library import catalogue, network_files

LISTS = ("cnngraph/library.json", "specs/README.md")  # these take some seconds, once per process


def assert_up_to_date(name: str) -> None:
    found = (generate.ROOT / name).read_text(encoding="utf-8")
    assert found == generate.FILES[name](), "run: python -m cnngraph.generate"


@pytest.mark.parametrize("name", sorted(generate.FILES.keys() - set(LISTS)))
def test_a_generated_file_is_up_to_date(name: str) -> None:
    assert_up_to_date(name)


def test_the_lists_of_networks_are_up_to_date_and_complete() -> None:
    for name in LISTS:
        assert_up_to_date(name)
    families = {family.name for section in sections() for family in section.families}
    listed = [network for section in sections() for network in section.networks]
    assert catalogue() == [replace(network, input_shapes=_plain(network.input_shapes)) for network in listed]
    assert {network.name for network in listed} | families == set(network_files())


def _plain(shapes: Mapping[str, Sequence[int]]) -> Any:
    return {name: list(shape) for name, shape in shapes.items()}


def test_stale_files_are_listed_and_rewritten(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    texts = {"a.md": "a\n", "b.md": "é ×\n", "c.md": "c\n"}
    monkeypatch.setattr(generate, "ROOT", tmp_path)
    monkeypatch.setattr(generate, "FILES", {name: partial(str, text) for name, text in texts.items()})
    (tmp_path / "a.md").write_text("old")
    (tmp_path / "c.md").write_text("c\n")
    assert generate.main(["--check"]) == 1
    assert capsys.readouterr().out == "a.md is stale\nb.md is stale\n"
    assert (tmp_path / "a.md").read_text() == "old"
    assert generate.main([]) == 0
    assert capsys.readouterr().out == "wrote a.md\nwrote b.md\n"
    assert {name: (tmp_path / name).read_text(encoding="utf-8") for name in texts} == texts
    assert generate.main(["--check"]) == 0
