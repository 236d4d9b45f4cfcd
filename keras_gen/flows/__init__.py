"""Invertible transformations of noise, with exact densities."""

from keras_gen.flows.real_nvp import RealNVP as RealNVP
