"""Code of a user, which a type checker reads and nobody runs: it sees what the package returns, and what it refuses.

mypy .ci/public_api.py
"""

import pathlib
from typing import assert_type

import numpy as np
import tensorflow as tf

import keras_gen
from keras_gen import data, evaluation, export, training

splits = data.load("digits", binarization="threshold", batch_size=100)
assert_type(splits, data.Splits)
assert_type(keras_gen.load_model("made.keras"), keras_gen.core.Model)
assert_type(splits.event_shape, tuple[int, ...])
assert_type(splits.train, tf.data.Dataset)

made = keras_gen.autoregressive.MADE(splits.event_shape, hidden_units=(500,))
made.compile("adam", jit_compile=True)
vae = keras_gen.latent.VAE((8, 8, 1), latent_size=4)
flow = keras_gen.flows.MAF((6,))
for model in (made, vae, flow):
    x: tf.Tensor = model.sample(4, seed=(0, 1))
    model.save("model.keras")

assert_type(evaluation.likelihood(made, splits.test, num_samples=10), dict[str, float])
assert_type(export.saved_model(made, pathlib.Path("models"), version=1), pathlib.Path)
assert_type(export.litert(vae, "vae.tflite", quantize="int8"), dict[str, dict])


@training.recipe(paper={"epochs": 100})
def main(run: training.Run, *, epochs: int = 2) -> dict:
    """A recipe."""
    return {"epochs": epochs, "mean": np.zeros(3)}


keras_gen.push(pathlib.Path("runs/mine"), "hf://user/name")
made.sample("four")  # type: ignore[arg-type]
data.load("digits", batch_size="many")  # type: ignore[arg-type]
export.litert(vae, "vae.tflite", quantize=8)  # type: ignore[arg-type]
