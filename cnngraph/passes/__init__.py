"""Passes: a `Graph` becomes another `Graph`."""
