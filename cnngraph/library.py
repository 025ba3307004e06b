"""Where the specs that come with cnngraph lie."""

from __future__ import annotations

from functools import cache
from pathlib import Path


@cache
def library_root() -> Path:
    """The folder of the library: inside the installed package, or `specs/` of a checkout."""
    package = Path(__file__).parent
    installed = package / "specs"
    return installed if installed.is_dir() else package.parent / "specs"
