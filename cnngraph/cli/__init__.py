"""The command line: arguments in, one call, printing out."""

from __future__ import annotations

import sys

from cnngraph.launch import prepare_threads


def main() -> None:
    """Run the command line with the process's arguments and end the process with its exit code."""
    prepare_threads()
    try:
        from cnngraph.cli.run import run
    except KeyboardInterrupt:  # Ctrl-C while the modules load
        sys.exit(130)
    sys.exit(run(sys.argv[1:]))
