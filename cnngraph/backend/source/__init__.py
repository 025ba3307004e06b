"""Code generation: a `Graph` becomes stand-alone PyTorch source."""
