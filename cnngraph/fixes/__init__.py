"""Fixes of errors: tries changes of the text and offers those that remove the error without causing another."""

from cnngraph.fixes.search import with_fixes

__all__ = ["with_fixes"]
