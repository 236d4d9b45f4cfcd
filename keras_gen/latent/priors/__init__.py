"""Priors p(z) of codes, of two kinds.

A model that maximises a bound evaluates log p(z) and learns the prior: `densities`. A model that fits its codes to a
prior adversarially, like an adversarial autoencoder, needs only draws from a fixed prior, possibly given a label:
`samplers`. The priors of both kinds are chosen by name.
"""
