"""Weights files: reading, renaming keys, loading, reporting and converting."""
