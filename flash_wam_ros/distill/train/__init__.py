"""The training loop: steps, checkpoints, processes, records."""
