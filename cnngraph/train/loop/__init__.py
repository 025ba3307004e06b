"""The training loop on pytorch-ignite: engines, handlers, optimizer steps, evaluation and checkpoints."""
