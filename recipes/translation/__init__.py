"""Recipes of the models of translation."""
