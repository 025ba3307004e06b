"""The ops: each is a frozen dataclass with its parameters, shape rule, cost, PyTorch layer, examples and manual."""
