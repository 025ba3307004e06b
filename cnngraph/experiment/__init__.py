"""Experiments: many runs that are compared, as data. Importing this loads no PyTorch."""
