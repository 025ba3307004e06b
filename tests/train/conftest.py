"""The command line, for tests of what a run says."""

from tests.cli.conftest import cli  # noqa: F401
