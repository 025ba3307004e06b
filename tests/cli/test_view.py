"""`cnngraph view`: usage; what it serves is tested in tests/viewing."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from tests.cli.conftest import Cli


def test_the_port_is_in_use(cli: Cli, tiny: str) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        ran = cli("view", tiny, "--no-open", "--port", port)
    assert ran.code == 2
    assert f"cannot listen on port {port}: Address already in use" in ran.err


def test_there_is_no_such_spec(cli: Cli, folder: Path) -> None:
    ran = cli("view", "nothing.yaml", "--no-open")
    assert ran.code == 1
    assert "file not found" in ran.err


def test_the_address_is_opened_in_the_browser(cli: Cli, tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("webbrowser.open", opened.append)
    monkeypatch.setattr("cnngraph.cli.commands.view._follow", interrupt)
    ran = cli("view", tiny)
    assert (ran.code, ran.err) == (0, "")
    first, second, last = ran.out.splitlines()
    assert (first, last) == ("tiny.yaml: ok", "stopped")
    assert second == f"serving {opened[0]} (Ctrl-C to stop)"
