"""The ops: each a frozen dataclass with its words, shape rule, cost, PyTorch layer, examples and manual."""
