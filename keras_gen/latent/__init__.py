"""Explicit models with latent variables, trained through a bound on their likelihood."""

from keras_gen.latent.vae import VAE as VAE
