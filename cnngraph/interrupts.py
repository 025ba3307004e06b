"""Handling of Ctrl-C at any time, any number of times: the program stops soon, without traceback or partial files."""

from __future__ import annotations

import _thread
import os
import signal
import sys
import threading
import time
from types import FrameType
from typing import Any

INTERRUPTED = 130  # the exit code
PATIENCE = 3.0  # seconds for cleaning up, during which further Ctrl-C are ignored; later ones exit immediately
RETRY = 0.02  # seconds


class Interrupts:
    """The handler of SIGINT: the first one raises KeyboardInterrupt, later ones do not disturb the cleanup."""

    def __init__(self) -> None:
        self.since: float | None = None

    @property
    def came(self) -> bool:
        """Whether there was a SIGINT. A library may have converted or swallowed its KeyboardInterrupt."""
        return self.since is not None

    def install(self) -> None:
        """Install the handler, unless the process was started with SIGINT ignored."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.handle)
            sys.unraisablehook = self.unraisable

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Handle one signal."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            raise KeyboardInterrupt
        if now - self.since > PATIENCE:
            os._exit(INTERRUPTED)

    def unraisable(self, info: Any) -> None:
        """Handle an exception that Python could not raise: repeat a Ctrl-C, and ignore errors that follow one."""
        if not issubclass(info.exc_type, KeyboardInterrupt):
            if self.since is None:
                sys.__unraisablehook__(info)
            return
        self.since = None
        _thread.start_new_thread(_again, ())  # in a thread, because here it would be raised inside this hook

    def ignore(self) -> None:
        """Ignore SIGINT while the interpreter shuts down."""
        if signal.getsignal(signal.SIGINT) == self.handle:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        exec(
            ""
        )  # or `python -m` kills itself after a Ctrl-C that interrupted another exec, such as that of dataclasses


def _again() -> None:
    time.sleep(RETRY)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it, unlike interrupt_main


interrupts = Interrupts()
