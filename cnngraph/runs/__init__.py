"""What one does with a finished run: evaluate, predict, compare, localize, look inside.

Importing this loads PyTorch.
"""
