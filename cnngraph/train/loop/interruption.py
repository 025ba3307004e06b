"""Ctrl-C and SIGTERM as a request: the step at work is finished first."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any

from cnngraph.launch import is_launched

SIGNALS = (signal.SIGINT, signal.SIGTERM)  # of a person, and of what manages a cluster
AT_ONCE = 1.0  # seconds; torchrun hands on the Ctrl-C that a terminal has told its processes already


class Interrupt:
    """While it is entered, the first signal sets `asked` and the second one raises KeyboardInterrupt.

    Signals reach the main thread only; in any other it does nothing.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.asked = False
        self.since = 0.0
        self.former: dict[signal.Signals, Any] = {}

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self.former = {each: signal.signal(each, self.handle) for each in SIGNALS}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for each, handler in self.former.items():
            signal.signal(each, handler)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take one signal."""
        if self.asked:
            if is_launched() and time.monotonic() - self.since < AT_ONCE:
                return
            if callable(former := self.former.get(signal.SIGINT)):
                former(number, frame)  # the program's own, which cannot be disturbed by a third one
                return
            raise KeyboardInterrupt
        self.asked, self.since = True, time.monotonic()
        self.note("stopping: a checkpoint is written first; Ctrl-C again stops at once")
