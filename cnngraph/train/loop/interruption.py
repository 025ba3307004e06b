"""Ctrl-C and SIGTERM as stop requests: the current step is finished first."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from cnngraph.launch import is_launched

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # from a person, and from a cluster's scheduler
DUPLICATE_WITHIN = 1.0  # seconds; torchrun forwards a Ctrl-C that the terminal has already sent to its processes


class SignalHandler:
    """A context in which the first signal sets `requested` and the second one raises KeyboardInterrupt.

    Python delivers signals to the main thread only; in other threads this does nothing.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.requested = False
        self.requested_at = 0.0  # by the monotonic clock
        self.previous: dict[signal.Signals, Any] = {}

    def __enter__(self) -> SignalHandler:
        if threading.current_thread() is threading.main_thread():
            self.previous = {number: signal.signal(number, self.handle) for number in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for number, handler in self.previous.items():
            signal.signal(number, handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle one signal."""
        if self.requested:
            if is_launched() and time.monotonic() - self.requested_at < DUPLICATE_WITHIN:
                return
            if callable(previous := self.previous.get(signal.SIGINT)):
                previous(number, frame)  # the command line's handler, which ignores a third signal
                return
            raise KeyboardInterrupt
        self.requested, self.requested_at = True, time.monotonic()
        self.note("stopping after writing a checkpoint; press Ctrl-C again to stop at once")
