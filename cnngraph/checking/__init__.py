"""Checks specs, block libraries, recipes and experiments. Does not import PyTorch."""

from cnngraph.checking.check import CheckOptions, check_paths, check_text, expanded
from cnngraph.checking.report import CheckReport, FileReport, Kind

__all__ = ["CheckOptions", "CheckReport", "FileReport", "Kind", "check_paths", "check_text", "expanded"]
