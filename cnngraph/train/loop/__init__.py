"""The training loop on pytorch-ignite."""
