"""A server for one page, for the browser of this machine only.

It listens on 127.0.0.1. Another page in the browser cannot read from it: the address contains a random token, and a
request whose Host is another name (DNS rebinding) is refused. It serves the page and its events, never a file.
"""

from __future__ import annotations

import secrets
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from socketserver import TCPServer
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, urlsplit

from cnngraph.viewing.viewer import Viewer

HOST = "127.0.0.1"
PING = 15.0  # seconds between signs of life, which reveal pages that were closed
HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "frame-ancestors 'none'",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Server(ThreadingHTTPServer):
    """Serves the page of a viewer at a secret address. Raises OSError if the port is in use."""

    daemon_threads = True

    def __init__(self, viewer: Viewer, port: int = 0) -> None:
        self.viewer, self.token = viewer, secrets.token_urlsafe(16)
        super().__init__((HOST, port), _Handler)

    def server_bind(self) -> None:
        """Listen, without asking for this machine's name as the base class does: DNS may take minutes to answer."""
        TCPServer.server_bind(self)
        self.server_name, self.server_port = HOST, self.server_address[1]

    @property
    def address(self) -> str:
        """The address of the page."""
        return f"http://{HOST}:{self.server_port}/{self.token}/"

    def start(self) -> None:
        """Serve in another thread."""
        Thread(target=self.serve_forever, kwargs={"poll_interval": 0.1}, daemon=True).start()

    def stop(self) -> None:
        """End all connections, and close the port."""
        self.viewer.stop()
        self.shutdown()
        self.server_close()

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A browser that closes a connection is no error."""


class _Handler(BaseHTTPRequestHandler):
    server: Server
    timeout = 60

    def do_GET(self) -> None:
        """The page, or its events."""
        address = urlsplit(self.path)
        names = {f"{name}:{self.server.server_port}" for name in (HOST, "localhost")}
        if self.headers.get("Host", "").lower() not in names:
            return self._refuse(HTTPStatus.FORBIDDEN)
        token, slash, rest = address.path.removeprefix("/").partition("/")
        if not slash or not secrets.compare_digest(token.encode(), self.server.token.encode()):
            return self._refuse(HTTPStatus.NOT_FOUND)
        if rest == "":
            return self._page()
        if rest == "events":
            since = parse_qs(address.query).get("since", ["0"])[0]
            return self._events(int(since) if since.isdecimal() and len(since) < 10 else 0)
        return self._refuse(HTTPStatus.NOT_FOUND)

    def _page(self) -> None:
        html, version = self.server.viewer.page()
        # the version is not a part of the page, which would then change with every compilation
        data = html.replace("<html ", f'<html data-version="{version}" ', 1).encode()
        self._start(HTTPStatus.OK, "text/html; charset=utf-8", len(data))
        self.wfile.write(data)

    def _events(self, since: int) -> None:
        """Wait for a version after `since`, and tell the page of it."""
        self._start(HTTPStatus.OK, "text/event-stream")
        viewer = self.server.viewer
        try:
            while True:
                with viewer.changed:
                    if viewer.version == since and not viewer.stopped:
                        viewer.changed.wait(PING)
                    version, stopped = viewer.version, viewer.stopped
                if version != since:
                    self.wfile.write(f"event: changed\ndata: {version}\n\n".encode())
                    return
                if stopped:
                    return
                self.wfile.write(b": still here\n\n")
                self.wfile.flush()
        except OSError:  # the page was closed
            self.close_connection = True

    def _refuse(self, status: HTTPStatus) -> None:
        data = f"{status.value} {status.phrase}\n".encode()
        self._start(status, "text/plain; charset=utf-8", len(data))
        self.wfile.write(data)

    def _start(self, status: HTTPStatus, kind: str, length: int | None = None) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        for name, value in HEADERS.items():
            self.send_header(name, value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()

    def version_string(self) -> str:
        """The name of the server, without versions."""
        return "cnngraph"

    def log_message(self, format: str, *arguments: Any) -> None:
        """Requests are not logged."""
