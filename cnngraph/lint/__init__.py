"""Lint: what is legal in a spec and yet likely wrong. Each rule is a class in a file of its own in `lint/rules/`."""
