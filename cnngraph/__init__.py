"""cnngraph: convolutional networks as YAML graphs, checked, compiled into torch.nn modules and trained."""
