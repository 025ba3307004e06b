"""The Python API: the functions of `import cnngraph`, and the values that they return.

`cnngraph` imports each name from here on first use; only functions that need PyTorch import it.
"""
