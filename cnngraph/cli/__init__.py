"""The command line: arguments in, one call, printing out."""

from __future__ import annotations

import sys

from cnngraph.interrupts import INTERRUPTED, interrupts
from cnngraph.launch import prepare_threads


def main() -> None:
    """Run the command line with the process's arguments and end the process with its exit code."""
    try:
        interrupts.install()
        prepare_threads()
        code = _main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    interrupts.ignore()
    sys.exit(INTERRUPTED if interrupts.came else code)


def _main() -> int:
    from cnngraph.packages import explain  # imported here, where Ctrl-C is caught

    try:
        from cnngraph.cli.process import run
    except Exception as error:  # not even the packages of the command line itself are there
        found = explain(error)
        if not found or interrupts.came:
            raise
        print(f"error: {found.message}\nhelp: {found.help}", file=sys.stderr)
        return 1
    return run(sys.argv[1:])
