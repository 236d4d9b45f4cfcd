"""Recipes of the tasks that trained models are for."""
