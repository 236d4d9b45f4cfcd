"""Recipes of the energy-based models."""
