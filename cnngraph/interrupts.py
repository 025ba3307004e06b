"""Ctrl-C, however often and whenever it comes: the program ends soon, without a traceback, and half writes nothing."""

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
PATIENCE = 3.0  # seconds for winding down, in which more Ctrl-C change nothing; later ones end the process at once
RETRY = 0.02  # seconds


class Interrupts:
    """What SIGINT does to the program: the first raises KeyboardInterrupt, those that follow cannot disturb its end."""

    def __init__(self) -> None:
        self.since: float | None = None

    @property
    def came(self) -> bool:
        """Whether there was one. What it raised may have come out of a library as another exception, or not at all."""
        return self.since is not None

    def install(self) -> None:
        """Take SIGINT, unless the process was started so that it ignores it."""
        if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
            signal.signal(signal.SIGINT, self.handle)
            sys.unraisablehook = self.unraisable

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Take one signal."""
        now = time.monotonic()
        if self.since is None:
            self.since = now
            raise KeyboardInterrupt
        if now - self.since > PATIENCE:
            os._exit(INTERRUPTED)

    def unraisable(self, info: Any) -> None:
        """An exception that Python could not raise where it was: a Ctrl-C comes again, what follows one is silent."""
        if not issubclass(info.exc_type, KeyboardInterrupt):
            if self.since is None:
                sys.__unraisablehook__(info)
            return
        self.since = None
        _thread.start_new_thread(_again, ())  # not here: it would be raised in this hook

    def ignore(self) -> None:
        """Let nothing disturb the end of the interpreter."""
        if signal.getsignal(signal.SIGINT) == self.handle:
            signal.signal(signal.SIGINT, signal.SIG_IGN)
        exec("")  # else `python -m` kills itself for a Ctrl-C that ended code run by another exec, such as dataclasses'


def _again() -> None:
    time.sleep(RETRY)
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)  # wakes it, unlike interrupt_main


interrupts = Interrupts()
