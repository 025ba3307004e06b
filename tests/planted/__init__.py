"""Planted errors: one slip at a random place of a valid spec, and how `check` reports it."""
