"""Passes, which transform a `Graph` into another `Graph`."""
