"""Lowering: a `Graph` becomes a `torch.nn.Module`."""
