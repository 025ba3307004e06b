"""Experiment files, and the checked plan of their runs. Needs no PyTorch."""
