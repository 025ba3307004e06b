"""Reserved names of nodes, compared with the attributes of modules in the installed PyTorch."""

from __future__ import annotations

import keyword

import pytest
from torch import nn

from cnngraph.language.names import RESERVED_NAMES, name_problem
from tests.backend.support import built


def test_every_attribute_of_a_module_is_reserved() -> None:
    taken = {name for name in dir(built("nodes: {conv: {op: conv, out: 4, kernel: 1}}")) if not name.startswith("_")}
    assert taken - {"conv"} <= RESERVED_NAMES
    assert {name for name in dir(nn.Module()) if not name.startswith("_")} <= RESERVED_NAMES


@pytest.mark.parametrize("name", [*sorted(RESERVED_NAMES), *keyword.kwlist, "_modules", "__dict__"])
def test_reserved_names_are_rejected(name: str) -> None:
    assert name_problem(name)
