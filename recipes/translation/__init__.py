"""Recipes of the translation models."""
