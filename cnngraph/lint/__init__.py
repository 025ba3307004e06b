"""Lint: warnings about specs that are valid but likely wrong. Each rule is a class in its own file in `lint/rules/`."""
