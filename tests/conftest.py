"""Settings for every test."""

from __future__ import annotations

import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.measured import Validator

# A shell that starts the tests in the background makes them ignore Ctrl-C, which some tests send.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# pytest-xdist starts one process per core, so more than one thread each would oversubscribe them.
os.environ.setdefault("OMP_NUM_THREADS", "1")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    """`--refresh-golden` rewrites the golden files; `--fuzz-specs` and `--fuzz-seed` choose the random specs."""
    parser.addoption("--refresh-golden", action="store_true", help="rewrite the golden files")
    parser.addoption("--fuzz-specs", type=int, default=50_000, help="number of random specs of -m fuzz")
    parser.addoption("--fuzz-seed", type=int, default=1000, help="the first seed of -m fuzz")


@pytest.fixture
def golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """`golden("errors/cycle.txt", text)`: the text must equal the golden file."""

    def compare(name: str, text: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--refresh-golden"):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
        assert path.is_file(), f"{name} is new: run pytest --refresh-golden and check what it writes"
        assert text == path.read_text(encoding="utf-8")

    return compare


@pytest.fixture(scope="module")
def validator() -> Iterator[Validator]:
    """A process that checks specs and measures processor time and memory."""
    if sys.platform == "win32":
        pytest.skip("processor time and memory are not measured on Windows")
    from tests.measured import Validator

    started = Validator()
    yield started
    started.close()
