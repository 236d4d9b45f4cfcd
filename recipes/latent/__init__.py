"""Recipes of the latent-variable models."""
