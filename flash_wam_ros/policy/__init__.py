"""Policies: what turns observations into action chunks."""
