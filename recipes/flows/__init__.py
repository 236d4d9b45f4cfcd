"""Recipes of the normalizing flows."""
