"""Generation of stand-alone PyTorch source from a `Graph`."""
