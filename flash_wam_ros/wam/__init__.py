"""The world-action model: network, attention cache, codecs, text, checkpoints, rollouts."""
