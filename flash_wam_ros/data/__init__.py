"""Episodes on disk: LeRobot datasets, statistics, action alignment, cached latents, windows."""
