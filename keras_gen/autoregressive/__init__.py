"""Explicit densities by the chain rule."""

from keras_gen.autoregressive.fvsbn import FVSBN as FVSBN
from keras_gen.autoregressive.made import MADE as MADE
