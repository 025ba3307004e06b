"""`pytest -m zoo` runs the whole folder, and with it the small networks that the ordinary suite runs as well."""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)  # before pytest leaves out what -m does not select
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.option.markexpr == "zoo":
        for item in items:
            if HERE in item.path.parents:
                item.add_marker("zoo")
