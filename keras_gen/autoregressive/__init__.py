"""Explicit densities that factorise by the chain rule, one entry given those before it."""

from keras_gen.autoregressive.made import MADE as MADE
