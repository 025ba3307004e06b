"""Lowering of a `Graph` to a `torch.nn.Module`."""
