"""Fixes of errors: changes of the text are tried, and those offered that remove the error and bring no other."""

from cnngraph.fixes.search import with_fixes

__all__ = ["with_fixes"]
