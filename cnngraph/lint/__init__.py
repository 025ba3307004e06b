"""Lint: what is legal and yet likely wrong."""
