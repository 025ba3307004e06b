"""The command line: parses arguments, calls a function of another package, and prints the result."""

from __future__ import annotations

import atexit
import os
import sys
from typing import NoReturn

from cnngraph.interrupts import INTERRUPTED, interrupts
from cnngraph.launch import is_launched, prepare_threads


def main() -> None:
    """Run the command line with the arguments of the process, then exit."""
    try:
        interrupts.install()
        prepare_threads()
        code = _main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    interrupts.ignore()
    _exit(INTERRUPTED if interrupts.came else code)


def _exit(code: int) -> NoReturn:
    """Exit the process.

    One of several processes of torchrun skips the shutdown of the interpreter, in which threads of PyTorch's gloo
    backend sometimes abort it ("terminate called without an active exception").
    """
    if is_launched():
        atexit._run_exitfuncs()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    sys.exit(code)


def _main() -> int:
    from cnngraph.packages import explain  # imported here, so that Ctrl-C during the import is caught

    try:
        from cnngraph.cli.process import run
    except Exception as error:  # a package that the command line itself needs is missing
        found = explain(error)
        if not found or interrupts.came:
            raise
        print(f"error: {found.message}\nhelp: {found.help}", file=sys.stderr)
        return 1
    return run(sys.argv[1:])
