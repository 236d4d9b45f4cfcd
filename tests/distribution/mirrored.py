"""Trains models on one device and on two logical CPUs, and prints for each the largest difference of a weight, as JSON.

It is a process of its own because logical devices are made once, at the start.
"""

import json

import keras
import numpy as np
import tensorflow as tf

from keras_gen import adversarial, autoregressive, latent

bits = (np.random.default_rng(0).random((32, 4, 4, 1)) < 0.3).astype(np.float32)
#: Of the four batches of eight, one has no label, and two have labels in one half only.
labels = np.array([0, 1, 2, -1, -1, -1, -1, 1] + [-1] * 7 + [2] + [1, -1, 0, 2] + [-1] * 4 + [-1] * 8)


def made():
    model = autoregressive.MADE((4, 4, 1), (16,), num_masks=2, ordering="random", dropout=0.3)
    model.compile(keras.optimizers.SGD(0.05))
    return model


def vae():
    model = latent.VAE((4, 4, 1), 3, levels=2, hidden_units=(8,))
    model.compile(keras.optimizers.SGD(0.05))
    return model


def vq_vae():
    # Codes that nothing was rounded to are moved at every second step.
    model = latent.VQVAE((4, 4, 1), 16, code_size=3, filters=(6,), restart_after=2, decay=0.9)
    model.compile(keras.optimizers.SGD(0.01))
    return model


def dcgan():
    model = adversarial.DCGAN((4, 4, 1), 2, latent_size=3, filters=(4,))
    model.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    return model


def gan():
    # All that draws for each example, or keeps a state of its own.
    model = adversarial.GAN(
        (4, 4, 1),
        2,
        latent_size=3,
        objective="hinge",
        regularizers=(
            "gradient_penalty",
            "r1",
            "consistency",
            "consistency_term",
            {"name": "weight_clipping", "limit": 0.5},
        ),
        generator_network={"name": "dense", "hidden_units": [6], "batch_norm": True},
        discriminator_network={"name": "dense", "hidden_units": [6], "dropout": 0.3, "spectral_norm": True},
        discriminator_steps=2,
        generator_average=0.9,
    )
    model.compile(keras.optimizers.SGD(0.05), keras.optimizers.SGD(0.05))
    return model


def semi_supervised_aae():
    # The labels of a batch may all be on one replica: their mean is over both.
    arguments = {"hidden_units": (5,), "discriminator_units": (5,), "input_noise": 0.2}
    model = latent.SemiSupervisedAAE((4, 4, 1), 3, 2, levels=2, **arguments)
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(4)))
    return model


def trained(make_model, strategy) -> list[np.ndarray]:
    with strategy.scope():
        model = make_model()
    before = model.get_weights()
    columns = bits if model.condition_space is None else (bits, labels)
    data = tf.data.Dataset.from_tensor_slices(columns).batch(8, drop_remainder=True)
    model.fit(data, epochs=3, verbose=0)
    after = model.get_weights()
    assert any(np.abs(a - b).max() > 1e-3 for a, b in zip(after, before, strict=True)), "nothing was trained"
    return after


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One strategy for all models: another one would number its collective operations like the first.
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    differences = {}
    for make_model in (made, vae, vq_vae, dcgan, gan, semi_supervised_aae):
        one = trained(make_model, tf.distribute.get_strategy())
        two = trained(make_model, strategy)
        difference = max(np.abs(a - b).max() for a, b in zip(one, two, strict=True))
        differences[make_model.__name__] = float(difference)
    print(json.dumps(differences))
