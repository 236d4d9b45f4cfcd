"""Recipes of the mixtures."""
