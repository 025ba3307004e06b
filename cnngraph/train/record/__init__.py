"""What a run writes: metrics, checkpoints, curves, progress."""
