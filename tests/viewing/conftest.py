"""A browser for all tests of a file."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.viewing.browser import Browser


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    browser = Browser(tmp_path_factory.mktemp("profile"))
    yield browser
    browser.close()


@pytest.fixture
def browser(chromium: Browser) -> Iterator[Browser]:
    """The browser, which must have no problem at the end of a test."""
    chromium.events.clear()
    chromium.resize(1200, 800)
    yield chromium
    assert chromium.problems() == []
