"""Steps on a GPU: precisions, XLA, several replicas, memory. Where there is none, one sentence says so."""

import functools

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import matrix
from contracts.helpers import batch_for

from keras_gen.devices import on_all_devices

CARDS = tf.config.list_physical_devices("GPU")
if not CARDS:
    pytest.skip(
        "no GPU is here; on a machine with one: CUDA_VISIBLE_DEVICES=0 pytest tests/gpu", allow_module_level=True
    )

if len(CARDS) == 1:
    # Two parts of one card are two replicas.
    parts = [tf.config.LogicalDeviceConfiguration(memory_limit=2048)] * 2
    tf.config.set_logical_device_configuration(CARDS[0], parts)

GPUS = [device.name for device in tf.config.list_logical_devices("GPU")]

#: A class of each family.
CLASSES = ("MADE", "VAE", "RealNVP", "DCGAN", "RBM", "GaussianMixture", "Pix2Pix")


def made(name: str, policy: str = "float32", *, jit_compile: bool = False, seed: int = 0):
    """Returns a small compiled model."""
    keras.utils.set_random_seed(seed)
    model = matrix.make(name, (8, 8, 1) if name != "GaussianMixture" else (3,), policy)
    num_optimizers = {"GaussianMixture": 0, "DCGAN": 2, "Pix2Pix": 2}.get(name, 1)
    model.compile(*(keras.optimizers.SGD(0.01) for _ in range(num_optimizers)), jit_compile=jit_compile)
    return model


def trained(model, *, steps: int = 3):
    """Returns the weights of a model after steps with 16 examples, and the loss of the last one."""
    batch = batch_for(model, {name: space.examples(16, (0, 1)).numpy() for name, space in model.spaces.items()})
    data = tf.data.Dataset.from_tensors(batch).repeat()
    history = model.fit(data, steps_per_epoch=steps, verbose=0).history
    return [weight for weight in model.get_weights() if weight.dtype.kind == "f"], history["loss"][-1]


def largest_difference(a, b) -> float:
    return max(float(np.abs(x - y).max(initial=0.0)) for x, y in zip(a, b, strict=True))


@functools.cache
def two_gpus() -> tf.distribute.Strategy:
    """Returns the one strategy of the process."""
    return tf.distribute.MirroredStrategy(GPUS[:2], cross_device_ops=tf.distribute.ReductionToOneDevice())


@pytest.mark.parametrize("policy", ["mixed_float16", "mixed_bfloat16"])
@pytest.mark.parametrize("name", CLASSES)
def test_steps_of_16_bits_stay_near_those_of_32(name, policy):
    weights, loss = trained(made(name))
    low_weights, low_loss = trained(made(name, policy))
    assert np.isfinite(low_loss)
    assert low_loss == pytest.approx(loss, rel=0.1, abs=0.1)
    assert largest_difference(weights, low_weights) < 0.1


@pytest.mark.parametrize("name", CLASSES)
def test_a_step_compiled_by_xla_does_the_same(name):
    weights, loss = trained(made(name))
    compiled, compiled_loss = trained(made(name, jit_compile=True))
    # Random numbers of dropout may be others.
    assert compiled_loss == pytest.approx(loss, rel=0.05, abs=0.05)
    assert largest_difference(weights, compiled) < 0.05


@pytest.mark.parametrize("name", CLASSES)
def test_two_gpus_do_what_one_does(name):
    weights, _ = trained(made(name))
    with two_gpus().scope():
        model = made(name)
    mirrored, _ = trained(model)
    assert largest_difference(weights, mirrored) < 1e-4


def test_all_gpus_share_calls():
    model = made("RealNVP")
    numbers = [(3, seed) for seed in range(4)]
    used = set()

    def draw(num, seed):
        x = model.sample(num, seed=seed)
        used.add(x.device)
        return x.numpy()

    for found, (num, seed) in zip(on_all_devices(draw, numbers), numbers, strict=True):
        np.testing.assert_allclose(found, model.sample(num, seed=seed), rtol=1e-4, atol=1e-4)
    assert len(used) == len(GPUS)


def test_memory_does_not_grow_with_steps():
    model = made("DCGAN")
    trained(model, steps=10)
    tf.config.experimental.reset_memory_stats(GPUS[0])
    trained(model, steps=10)
    before = tf.config.experimental.get_memory_info(GPUS[0])["peak"]
    trained(model, steps=200)
    assert tf.config.experimental.get_memory_info(GPUS[0])["peak"] <= 1.01 * before
