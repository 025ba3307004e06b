"""The command line fixtures, for tests of runs."""

from tests.cli.conftest import cli  # noqa: F401
