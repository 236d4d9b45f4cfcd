"""Recipes of the tasks that trained models are used for."""
