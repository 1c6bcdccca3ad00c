"""Closed-loop evaluation: how often a policy does a task, and what it cost."""
