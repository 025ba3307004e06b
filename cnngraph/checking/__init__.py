"""Checks of files of every kind, from paths to reports. Needs no PyTorch."""

from cnngraph.checking.check import CheckOptions, check_paths, check_text, expanded
from cnngraph.checking.report import CheckReport, FileReport, Kind

__all__ = ["CheckOptions", "CheckReport", "FileReport", "Kind", "check_paths", "check_text", "expanded"]
