"""Weights: files, reports, conversion."""
