"""`pytest -m zoo` also runs the small networks of this folder that the default suite runs."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest deselects by -m
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr == "zoo":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker("zoo")
