"""Analyses: what is read off a `Graph`."""
