"""Expressions in specs: grammar, syntax tree, values and functions."""
