"""The bundled specs have no warnings except those that an `ignore` explains."""

from __future__ import annotations

from pathlib import Path

import pytest

from cnngraph.compilation import compile_spec
from cnngraph.lint.run import Lint
from tests.library import BLOCKS, networks


@pytest.mark.parametrize("path", networks())
def test_a_network_has_no_warning(path: Path) -> None:
    assert [str(diagnostic) for diagnostic in Lint(own=True).run(compile_spec(path)).diagnostics] == []


@pytest.mark.parametrize("path", BLOCKS, ids=lambda path: path.stem)
def test_a_library_of_blocks_has_no_warning(path: Path) -> None:
    assert [str(diagnostic) for diagnostic in Lint(own=True).run(compile_spec(path)).diagnostics] == []
