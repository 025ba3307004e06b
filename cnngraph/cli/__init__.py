"""The command line: parses arguments, calls a function of another package, and prints the result."""

from __future__ import annotations

import sys

from cnngraph.interrupts import INTERRUPTED, interrupts
from cnngraph.launch import prepare_threads


def main() -> None:
    """Run the command line with the arguments of the process, then exit."""
    try:
        interrupts.install()
        prepare_threads()
        code = _main()
    except KeyboardInterrupt:
        code = INTERRUPTED
    interrupts.ignore()
    sys.exit(INTERRUPTED if interrupts.came else code)


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
