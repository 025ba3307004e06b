"""Elaboration: a `Spec` becomes a `Graph`."""
