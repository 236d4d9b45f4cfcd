"""Generative models for Keras 3 on TensorFlow.

Importing this package is instant: TensorFlow is loaded by the first family or function that needs it.
"""

import importlib
import typing

if typing.TYPE_CHECKING:
    from keras_gen import adversarial as adversarial
    from keras_gen import autoregressive as autoregressive
    from keras_gen import data as data
    from keras_gen import energy as energy
    from keras_gen import evaluation as evaluation
    from keras_gen import export as export
    from keras_gen import flows as flows
    from keras_gen import latent as latent
    from keras_gen import layers as layers
    from keras_gen import mixtures as mixtures
    from keras_gen import pictures as pictures
    from keras_gen import shipped as shipped
    from keras_gen import spaces as spaces
    from keras_gen import training as training
    from keras_gen import translation as translation
    from keras_gen.core.saving import load_model as load_model
    from keras_gen.core.saving import save_model as save_model
    from keras_gen.hub import push as push

__version__ = "0.1.0"

_MODULES = (
    *("autoregressive", "latent", "flows", "mixtures", "adversarial", "translation", "energy"),
    *("shipped", "spaces", "layers", "data", "pictures", "evaluation", "training", "export"),
)
_FUNCTIONS = {"load_model": "core.saving", "save_model": "core.saving", "push": "hub"}


def __getattr__(name: str):
    if name in _MODULES:
        return importlib.import_module(f"keras_gen.{name}")
    if name in _FUNCTIONS:
        return getattr(importlib.import_module(f"keras_gen.{_FUNCTIONS[name]}"), name)
    raise AttributeError(f"module 'keras_gen' has no attribute {name!r}")


def __dir__():
    return sorted((*globals(), *_MODULES, *_FUNCTIONS))
