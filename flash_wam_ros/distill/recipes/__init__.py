"""Recipes by name."""
