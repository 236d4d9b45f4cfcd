"""Priors p(z) of codes, of two kinds.

A model that maximises a bound evaluates log p(z) and learns the prior: `densities`. A model that fits its codes to a
prior by a game, as an adversarial autoencoder does, needs draws alone, of a fixed prior, which may be drawn given a
label: `samplers`. The priors of both kinds are chosen by name.
"""
