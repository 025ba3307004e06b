"""Planted errors: one slip at a random place of a good spec, and what `check` makes of it."""
