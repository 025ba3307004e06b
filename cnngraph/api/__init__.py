"""The Python API: what `import cnngraph` offers as functions, with the values that they return.

`cnngraph` loads each name from here when it is first used, and PyTorch only with the functions that need it.
"""
