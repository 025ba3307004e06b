"""The version, in one place: the package's metadata, `--version` and written files take it from here."""

__version__ = "0.1.0"
