"""Recipes of the adversarial models."""
