"""`cnngraph view`."""

from __future__ import annotations

import sys
import threading
from typing import TYPE_CHECKING, Any

import click

from cnngraph.cli.command import command
from cnngraph.cli.messages import count_severities, say
from cnngraph.cli.options import Reading, choice, number, reading_options, spec_argument

if TYPE_CHECKING:
    from cnngraph.viewing.viewer import Viewer

INTERVAL = 0.3  # seconds between looks at the files


@command(
    ("cnngraph view net.yaml", "open it in the browser; the drawing follows every save"),
    ("cnngraph view net.yaml --no-open --port 8800", "only serve it"),
    ("cnngraph view resnet50 --input 3x320x320", "a bundled network"),
)
@spec_argument
@click.option("--port", type=number(0, 65535), default=0, metavar="N", help="Port on 127.0.0.1. By default a free one.")
@click.option(
    "--open/--no-open", "opens", default=True, help="Open the page in the browser, or only print its address."
)
@click.option("--direction", type=choice("down", "right"), help="Direction of the flow.")
@click.option("--node", metavar="PATH", help="Draw only the block at this path.")
@click.option("--fold/--no-fold", default=None, help="Draw equal iterations of a repeat as one (×6), or each.")
@reading_options
def view(spec: str, port: int, opens: bool, reading: Reading, **options: Any) -> None:
    """Show a network in the browser, and draw it again whenever its spec is saved.

    Blocks open on a click, and each operation shows its settings, shapes, cost, receptive field and line in the spec.
    Errors are shown above the drawing. Only this machine can reach the page. Ctrl-C ends it.
    """
    from cnngraph.cli.reading import compile_file
    from cnngraph.document import read_file
    from cnngraph.library import find_file, find_network, is_name
    from cnngraph.render.settings import Settings
    from cnngraph.viewing.server import Server
    from cnngraph.viewing.viewer import Viewer

    file = find_network(spec) if is_name(spec) else find_file(spec)
    read_file(file, spec)  # a file that cannot be read is no spec to wait for
    viewer = Viewer(file, lambda: compile_file(spec, reading), Settings(page=None, **options))
    try:
        server = Server(viewer, port)
    except OSError as error:
        reason = error.strerror or error
        raise click.UsageError(f"cannot listen on port {port}: {reason}; without --port a free one is taken") from None
    server.start()
    try:
        _say(f"{spec}: {_status(viewer)}")
        _say(f"serving {server.address} (Ctrl-C to stop)")
        if opens:
            import webbrowser

            webbrowser.open(server.address)
        _follow(spec, viewer)
    except KeyboardInterrupt:
        _say("stopped")
    finally:
        server.stop()


def _follow(spec: str, viewer: Viewer) -> None:
    """Draw the spec again after every change, until Ctrl-C."""
    pause = threading.Event()
    while True:
        pause.wait(INTERVAL)
        if viewer.refresh():
            _say(f"{spec}: {_status(viewer)}")


def _say(text: str) -> None:
    """Print a line at once, into a pipe too."""
    say(text)
    sys.stdout.flush()


def _status(viewer: Viewer) -> str:
    return count_severities(viewer.diagnostics) or "ok"
