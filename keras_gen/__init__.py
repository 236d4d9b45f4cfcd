"""Generative models for Keras 3 on TensorFlow.

Importing this package is instant: TensorFlow is loaded with the first family or function that needs it.
"""

import importlib

__version__ = "0.1.0"

_MODULES = (
    *("autoregressive", "latent", "flows", "mixtures", "adversarial", "translation", "energy"),
    *("shipped", "spaces", "layers", "data", "pictures", "evaluation", "training", "export"),
)
_FUNCTIONS = ("load_model", "save_model")


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"keras_gen.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module("keras_gen.core.saving"), name)
    raise AttributeError(f"module 'keras_gen' has no attribute {name!r}")


def __dir__():
    return sorted((*globals(), *_MODULES, *_FUNCTIONS))
