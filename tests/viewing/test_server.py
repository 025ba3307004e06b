"""`view`: the server, what it watches, and what it refuses."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from cnngraph.cli.options import Reading
from cnngraph.cli.reading import compile_file
from cnngraph.render import Settings
from cnngraph.viewing.server import Server
from cnngraph.viewing.viewer import Viewer
from tests.render.networks import RESIDUAL
from tests.render.pages import Page

BROKEN = RESIDUAL.replace("op: linear", "op: lineer")
USING_BLOCKS = """
cnngraph: 1
input: [3, 8, 8]
import: [parts/own.yaml]
nodes: {a: own, head: [flatten, {op: linear, out: 2}]}
"""
BLOCKS = "cnngraph: 1\nblocks:\n  own: {nodes: [{op: conv, out: 4, kernel: 1}, relu]}\n"


def viewer_of(file: Path, text: str = RESIDUAL, **settings: Any) -> Viewer:
    file.write_text(text)
    return Viewer(file, lambda: compile_file(str(file), Reading()), Settings(page=None, **settings))


def page_of(viewer: Viewer) -> Page:
    return Page(viewer.page()[0])


def errors_in(found: Page) -> list[str]:
    report = found.data["report"]["diagnostics"]
    return [item["text"].splitlines()[0] for item in report if item["severity"] == "error"]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "net.yaml"


@pytest.fixture
def server(file: Path) -> Iterator[Server]:
    server = Server(viewer_of(file))
    server.start()
    yield server
    server.stop()


def get(server: Server, path: str, host: str = "") -> tuple[HTTPResponse, str]:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("GET", path, headers={"Host": host} if host else {})
    answer = connection.getresponse()
    text = answer.read().decode()
    connection.close()
    return answer, text


def test_the_page_is_at_a_secret_address(server: Server) -> None:
    path = urlsplit(server.address).path
    answer, text = get(server, path)
    assert answer.status == 200
    assert answer.headers["Cache-Control"] == "no-store"
    assert "layer1.0.conv1" in Page(text).network["nodes"]["path"]
    assert len(path) > 20
    assert get(server, path, f"localhost:{server.server_port}")[0].status == 200


@pytest.mark.parametrize(
    "path",
    ["/", "", "/wrong/", "/../net.yaml", "/%2e%2e/net.yaml", "/net.yaml", "//", "/wrong/events", "/%C3%A9/"],
)
def test_other_addresses_are_not_found(server: Server, path: str) -> None:
    answer, text = get(server, path or "/x")
    assert (answer.status, text) == (404, "404 Not Found\n")


@pytest.mark.parametrize("path", ["../../etc/passwd", "%2e%2e/net.yaml", "/etc/passwd", "net.yaml", "events/x"])
def test_no_file_is_served(server: Server, path: str) -> None:
    assert get(server, urlsplit(server.address).path + path)[0].status == 404


@pytest.mark.parametrize("host", ["evil.example", "evil.example:80", "127.0.0.1", "localhost", "127.0.0.1:1"])
def test_other_hosts_are_refused(server: Server, host: str) -> None:
    assert get(server, urlsplit(server.address).path, host)[0].status == 403


def test_only_reading_is_possible(server: Server) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=10)
    connection.request("POST", urlsplit(server.address).path, b"text")
    assert connection.getresponse().status == 501
    connection.close()


def test_a_change_is_an_event(server: Server, file: Path) -> None:
    connection = HTTPConnection("127.0.0.1", server.server_port, timeout=30)
    connection.request("GET", f"{urlsplit(server.address).path}events?since=1")
    answer = connection.getresponse()
    assert answer.headers["Content-Type"] == "text/event-stream"
    change = threading.Timer(0.2, lambda: (file.write_text(RESIDUAL + "about: new\n"), server.viewer.refresh()))
    change.start()
    assert answer.read().decode() == "event: changed\ndata: 2\n\n"
    change.join()
    connection.close()


def test_a_page_that_missed_a_change_hears_of_it_at_once(server: Server) -> None:
    assert get(server, f"{urlsplit(server.address).path}events?since=0")[1] == "event: changed\ndata: 1\n\n"


def test_a_page_changes_only_with_its_content(file: Path) -> None:
    viewer = viewer_of(file)
    assert not viewer.refresh()
    file.write_text(RESIDUAL)
    (file.parent / "other.yaml").write_text("cnngraph: 1\n")
    assert not viewer.refresh()
    file.write_text(f"{RESIDUAL}about: other\n")
    assert viewer.refresh()
    assert viewer.page()[1] == 2


def test_errors_are_shown_with_the_last_good_drawing(file: Path) -> None:
    viewer = viewer_of(file)
    file.write_text(BROKEN)
    assert viewer.refresh()
    found = page_of(viewer)
    assert errors_in(found) == ["error[E313]: there is no op or block `lineer`"]
    assert found.data["report"]["note"] == "The drawing shows the last version without errors."
    assert "fc" in found.network["nodes"]["path"]
    number, line, _ = found.data["report"]["diagnostics"][0]["at"]
    assert "lineer" in found.data["files"][number]["text"].splitlines()[line - 1]
    file.write_text(RESIDUAL)
    assert viewer.refresh()
    assert errors_in(page_of(viewer)) == []


def test_errors_at_the_start_are_shown_with_the_network_up_to_the_error(file: Path) -> None:
    found = page_of(viewer_of(file, BROKEN))
    assert errors_in(found) == ["error[E313]: there is no op or block `lineer`"]
    assert found.data["report"]["note"] == "The drawing shows the network up to the error."
    assert "layer2.3.add" in found.network["nodes"]["path"]


@pytest.mark.parametrize("text", ["", "a: [", "cnngraph: 1\nblocks: {b: {nodes: [relu]}}\n", "cnngraph: 1\n", "\x00"])
def test_a_spec_without_a_network_is_a_page_with_errors(file: Path, text: str) -> None:
    found = page_of(viewer_of(file, text))
    assert errors_in(found)
    assert found.data["network"] is None


def test_a_file_that_is_replaced_by_one_of_the_same_size_and_time_is_read_again(file: Path) -> None:
    viewer = viewer_of(file)
    other = file.with_name("other")
    other.write_text(BROKEN)
    status = file.stat()
    assert other.stat().st_size == status.st_size
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    other.replace(file)
    assert viewer.refresh()
    assert errors_in(page_of(viewer)) == ["error[E313]: there is no op or block `lineer`"]


def test_a_file_that_disappears_is_an_error(file: Path) -> None:
    viewer = viewer_of(file)
    file.unlink()
    assert viewer.refresh()
    assert "file not found" in errors_in(page_of(viewer))[0]


def test_imported_files_are_watched(file: Path) -> None:
    (file.parent / "parts").mkdir()
    own = file.parent / "parts" / "own.yaml"
    viewer = viewer_of(file, USING_BLOCKS)
    assert "not found" in errors_in(page_of(viewer))[0]
    own.write_text(BLOCKS)
    assert viewer.refresh()
    assert errors_in(page_of(viewer)) == []
    own.write_text(BLOCKS.replace("out: 4", "out: 5"))
    assert viewer.refresh()


def test_no_name_is_looked_up(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("getfqdn", "gethostbyaddr", "getaddrinfo"):
        monkeypatch.setattr(socket, name, lambda *_, name=name: pytest.fail(f"{name}: DNS may take minutes to answer"))
    Server(viewer_of(file)).server_close()


def test_a_network_that_cannot_be_drawn_is_an_error(file: Path) -> None:
    text = "cnngraph: 1\ninput: [3, 8, 8]\nnodes:\n  a: {repeat: 1600, flat: true, op: conv, out: $i + 1, kernel: 1}\n"
    found = page_of(viewer_of(file, text))
    assert "more than 1,500 boxes" in errors_in(found)[0]


def test_a_block_that_is_gone_is_a_note(file: Path) -> None:
    viewer = viewer_of(file, node="layer2")
    file.write_text(RESIDUAL.replace("layer2:", "stage2:"))
    assert viewer.refresh()
    assert "no block at the path 'layer2'" in page_of(viewer).data["report"]["note"]


@pytest.mark.skipif(sys.platform == "win32", reason="sends Ctrl-C")
def test_the_command_follows_the_spec_until_ctrl_c(tmp_path: Path) -> None:
    (tmp_path / "net.yaml").write_text(RESIDUAL)
    (tmp_path / "broken").write_text(BROKEN)
    command = [sys.executable, "-X", "faulthandler", "-m", "cnngraph", "view", "net.yaml", "--no-open"]
    process = subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    watchdog = threading.Timer(120, process.send_signal, [signal.SIGABRT])  # prints where it waits
    watchdog.start()
    assert _line_of(process) == "net.yaml: ok\n"
    assert re.fullmatch(r"serving http://127\.0\.0\.1:\d+/\S{20,}/ \(Ctrl-C to stop\)\n", _line_of(process))
    (tmp_path / "broken").replace(tmp_path / "net.yaml")
    assert _line_of(process) == "net.yaml: 1 error\n"
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    watchdog.cancel()
    assert (out, err) == ("stopped\n", "")


def _line_of(process: subprocess.Popen[str]) -> str:
    """The next line that a process prints; if it has ended instead, the assertion shows why."""
    assert process.stdout is not None
    line = process.stdout.readline()
    assert line, f"ended with {process.wait()}: {process.communicate()[1]}"
    return line
