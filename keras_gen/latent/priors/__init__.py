"""Priors of codes: densities for variational models, samplers for adversarial ones."""
