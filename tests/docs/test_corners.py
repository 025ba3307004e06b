"""Sentences of the guide and docs/keys.md that have no example there: each exists and is true."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from cnngraph.compilation import compile_text
from cnngraph.diagnostics import Source
from cnngraph.document import parse
from cnngraph.language.keys import keys_manual
from tests.docs.page import LANGUAGE, completed, outcome

TEXT = (Path(__file__).parent / "corners.yaml").read_text(encoding="utf-8")


def corners() -> list[Any]:
    value, errors = parse(Source("corners.yaml", TEXT))
    assert value is not None
    assert not errors
    plain = value.plain()
    assert isinstance(plain, list)
    return plain


FILES = {
    "shared.yaml": """
        cnngraph: 1
        params: {theirs: 2}
        blocks:
          leaf: {op: relu}
          own: {op: conv, out: $mine, kernel: 1}
          files: {op: conv, out: $theirs, kernel: 1}
    """,
    "outer.yaml": """
        cnngraph: 1
        import: [shared.yaml]
        blocks:
          branch: {op: leaf}
    """,
    "network.yaml": """
        cnngraph: 1
        input: [3, 32, 32]
        params: {act: relu}
        blocks:
          layer: {op: $act}
        nodes:
          a: layer
    """,
}


def without_targets(text: str) -> str:
    """The text with the targets of links removed."""
    return re.sub(r"\]\([^)\s]*\)", "]()", text)


@pytest.fixture(scope="module")
def page() -> str:
    return " ".join(f"{without_targets(LANGUAGE.text)} {without_targets(keys_manual())}".split())


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("corners")
    for name, text in FILES.items():
        (root / name).write_text(text, encoding="utf-8")
    return root


@pytest.mark.parametrize("corner", corners(), ids=lambda case: case["says"])
def test_a_sentence_is_true(corner: dict[str, str], page: str, folder: Path) -> None:
    assert without_targets(corner["says"]) in page
    found = outcome(compile_text(Source("corner.yaml", completed(corner["spec"])), folder)).splitlines()
    if "=" not in corner["gives"]:
        assert [line.partition(":")[0] for line in found if line[0] != " "] == [f"error[{corner['gives']}]"]
    else:
        nodes = [" ".join(line.rpartition("  ")[0].split()) for line in found if " = " in line]
        assert nodes == corner["gives"].splitlines()
