"""Tests of the smallest examples, down to a single entry, of which no conditional depends on anything."""

import itertools
import os
import subprocess
import sys

import keras
import numpy as np
import pytest

from keras_gen.autoregressive import FVSBN, MADE, NADE, RNADE, OrderlessNADE

SHAPES = pytest.mark.parametrize("event_shape", [(1,), (2,), (3,), (1, 1, 1)], ids=str)

MAKERS = {
    "MADE": lambda shape: MADE(shape, (7,), 3, direct_connections=True, dropout=0.1),
    "MADE without hidden layers": lambda shape: MADE(shape, ()),
    "ensemble": lambda shape: MADE(shape, (7, 6), num_masks=2, ordering="random"),
    "MADE of real numbers": lambda shape: MADE(shape, (7,), None, num_components=2),
    "RNADE": lambda shape: RNADE(shape, 7, 2),
    "NADE": lambda shape: NADE(shape, 7),
    "FVSBN": lambda shape: FVSBN(shape, 3),
    "OrderlessNADE": lambda shape: OrderlessNADE(shape, (7,), num_orderings=2),
}


def grid(model) -> tuple[np.ndarray, float]:
    """Returns points that represent the whole space, and the volume that each stands for."""
    # Densities of a scale near one are so smooth that their sum over a grid is their integral.
    values = np.arange(model.levels) if model.levels else np.linspace(-8.0, 8.0, 41)
    points = np.array(list(itertools.product(values, repeat=model.event_size)), np.float32)
    return points.reshape(-1, *model.event_shape), 1.0 if model.levels else 0.4**model.event_size


@SHAPES
@pytest.mark.parametrize("name", MAKERS)
def test_densities_of_few_entries(name, event_shape):
    model = MAKERS[name](event_shape)
    model.compile(keras.optimizers.Adam(0.01), run_eagerly=True)
    points, volume = grid(model)
    few = points[:: max(1, len(points) // 32)]
    if model.levels is None:
        # The model takes their unit, which is near one then.
        few = 0.2 * few
    assert np.isfinite(model.fit(few, verbose=0).history["loss"][0])
    assert np.isfinite(model.evaluate(few, verbose=0, return_dict=True)["loss"])
    for weight in model.trainable_weights:
        # With small weights, the scales of real numbers stay near the initial ones.
        weight.assign(0.2 * weight)
    masses = volume * np.exp(model.log_prob(points).numpy().astype(np.float64))
    np.testing.assert_allclose(masses.sum(), 1.0, rtol=1e-5)

    samples = model.sample(4000, seed=0).numpy()
    assert samples.shape == (4000, *event_shape)
    assert np.all(model.event_space.contains(samples))
    mean = np.tensordot(masses, points, 1)
    error = np.sqrt(np.tensordot(masses, (points - mean) ** 2, 1) / 4000)
    assert np.all(np.abs(samples.mean(axis=0) - mean) < 5.0 * error)


ONE_ENTRY = """
import numpy as np
from keras_gen.autoregressive import MADE
from keras_gen.flows import IAF, MAF, MaskedSplineFlow, MixtureMAF

x = np.random.default_rng(0).standard_normal((20, 1)).astype("float32")
for model in (MADE((1,), (7,), None, num_components=2), MAF((1,), num_layers=2, hidden_units=(7,))):
    model.compile()
    model.fit(x, verbose=0)
    assert model.predict(x, verbose=0).shape == (20,)
    assert model.sample(20, seed=0).shape == (20, 1)
small = {"num_layers": 1, "hidden_units": (4,)}
for flow in (IAF, MaskedSplineFlow, MixtureMAF):
    model = flow((1,), **small)
    model.compile()
    assert np.isfinite(model.predict(x, verbose=0)).all()
image = MixtureMAF((8, 8, 1), num_components=2, **small)
image.compile()
assert np.isfinite(image.fit(np.random.default_rng(0).standard_normal((3, 8, 8, 1)), verbose=0).history["loss"]).all()
"""


def test_no_product_without_inputs_reaches_one_dnn():
    """A fused matrix product with an empty side aborts the process, on processors where oneDNN is used by default."""
    environment = {**os.environ, "TF_ENABLE_ONEDNN_OPTS": "1"}
    run = subprocess.run([sys.executable, "-c", ONE_ENTRY], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-2000:]
