"""Experiments as data: what a file says, and the runs that it asks for, all of them checked. Needs no PyTorch."""
