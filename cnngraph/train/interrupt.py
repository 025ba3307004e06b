"""Ctrl-C as a request: the step at work is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from types import FrameType, TracebackType
from typing import Any


class Interrupt:
    """While it is entered, the first Ctrl-C sets `asked` and the second one raises KeyboardInterrupt.

    Signals reach the main thread only; in any other it does nothing.
    """

    def __init__(self, note: Callable[[str], None]) -> None:
        self.note = note
        self.asked = False
        self.former: Any = None

    def __enter__(self) -> Interrupt:
        if threading.current_thread() is threading.main_thread():
            self.former = signal.signal(signal.SIGINT, self.handle)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.former is not None:
            signal.signal(signal.SIGINT, self.former)

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take one Ctrl-C."""
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        self.note("stopping: a checkpoint is written first; Ctrl-C again stops at once")
