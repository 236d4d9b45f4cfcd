"""Trains models on one device and on two logical CPUs, and prints what differs most, by model, as JSON.

There is one model for each kind of thing that a step may do; `contracts.replicas` tests all models, without graphs.

It is a process of its own, since a failed collective operation poisons the process that it is in. Called with names of
models, it trains these alone.

The last batches hold three examples and a single one, so that a replica gets fewer rows than the other, or none. Half
of the models whose loss is a mean over examples are given weights of examples, of which some are 0.
"""

import json
import sys

import cheaper_tracing  # noqa: F401
import keras
import numpy as np
import tensorflow as tf

import keras_gen

#: Rows of each batch; a strategy halves them.
BATCH_SIZES = (16, 16, 3, 1)
NUM_EXAMPLES = sum(BATCH_SIZES)
rng = np.random.default_rng(0)
bits = (rng.random((NUM_EXAMPLES, 4, 4, 1)) < 0.3).astype(np.float32)
vectors = rng.normal(size=(NUM_EXAMPLES, 3)).astype(np.float32)
weights = rng.uniform(0.5, 2.0, NUM_EXAMPLES).astype(np.float32)
weights[[3, 33]] = 0.0
#: In one batch all labels are in the same half, and one has none.
labels = np.full(NUM_EXAMPLES, -1)
labels[[0, 1, 2, 7, 15, 19, 20, 35]] = [0, 1, 2, 1, 2, 0, 1, 2]
#: Models whose examples have weights.
WEIGHTED = ("made", "real_nvp_with_batch_normalization", "rbm", "joint_ebm")


def made():
    model = keras_gen.autoregressive.MADE((4, 4, 1), (16,), num_masks=2, ordering="random", dropout=0.3)
    model.compile(keras.optimizers.SGD(0.05))
    return model


def real_nvp_with_batch_normalization():
    model = keras_gen.flows.RealNVP((3,), 3, (8,), batch_normalization=True)
    model.compile(keras.optimizers.SGD(0.05))
    return model


def vq_vae():
    # Codes that nothing was rounded to are moved at every second step.
    model = keras_gen.latent.VQVAE((4, 4, 1), 16, code_size=3, filters=(6,), restart_after=2, decay=0.9)
    model.compile(keras.optimizers.SGD(0.01))
    return model


def gan():
    # All that draws for each example, or keeps a state of its own.
    model = keras_gen.adversarial.GAN(
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
    model = keras_gen.latent.SemiSupervisedAAE((4, 4, 1), 3, 2, levels=2, **arguments)
    model.compile(*(keras.optimizers.SGD(0.1) for _ in range(4)))
    return model


def rbm():
    # Of seven chains, a replica moves three and the other one four.
    phase = {"name": "persistent_chains", "num_chains": 7, "num_steps": 2}
    model = keras_gen.energy.RBM((3,), 5, None, negative_phase=phase)
    model.compile(keras.optimizers.SGD(0.05))
    return model


def joint_ebm():
    # A batch may hold more examples than there are chains.
    model = keras_gen.energy.JointEBM(
        (4, 4, 1),
        3,
        2,
        network={"name": "convolutional", "filters": [4], "hidden_units": [5], "spectral_norm": True},
        objective={"name": "maximum_likelihood", "num_steps": 2, "buffer_size": 12, "fresh_share": 0.3},
    )
    model.compile(keras.optimizers.SGD(0.05))
    return model


def cycle_gan():
    # The pool fills up, and changes places with images of both replicas. With the paper's weight of the cycle, so small
    # a network makes of one rounding error, on one device too, thousands of them in eight steps. Its other loss, of the
    # identity, is a mean over images like that of the cycle.
    sizes = {"filters": 2, "num_blocks": 1, "receptive_field": 1, "pool_size": 20}
    model = keras_gen.translation.CycleGAN((16, 16, 1), (16, 16, 1), 9, **sizes, cycle_weight=1.0, identity_weight=0.0)
    model.compile(keras.optimizers.SGD(0.001), keras.optimizers.SGD(0.001))
    return model


def gaussian_mixture():
    # An iteration of EM: sums over both replicas, and a start from all rows.
    model = keras_gen.mixtures.GaussianMixture((3,), 3)
    model.compile()
    return model


MODELS = {
    model.__name__: model
    for model in (
        made,
        real_nvp_with_batch_normalization,
        vq_vae,
        gan,
        semi_supervised_aae,
        rbm,
        joint_ebm,
        cycle_gan,
        gaussian_mixture,
    )
}


def trained(make_model, strategy) -> tuple[list[np.ndarray], list[float]]:
    """Returns the weights of a model after training, and all that it logged on the way."""
    with strategy.scope():
        model = make_model()
    before = model.get_weights()
    if isinstance(model, keras_gen.translation.TranslationModel):
        columns = {name: space.examples(NUM_EXAMPLES, (0, 1)).numpy() for name, space in model.spaces.items()}
    else:
        columns = {"x": bits if model.event_shape == (4, 4, 1) else vectors}
        if model.condition_space is not None:
            columns["condition"] = labels
    if make_model.__name__ in WEIGHTED:
        columns["sample_weight"] = weights
    starts = np.cumsum((0, *BATCH_SIZES[:-1]))
    batches = [
        tf.data.Dataset.from_tensors({name: column[start : start + size] for name, column in columns.items()})
        for start, size in zip(starts, BATCH_SIZES, strict=True)
    ]
    data = tf.data.Dataset.choose_from_datasets(batches, tf.data.Dataset.range(len(batches)))
    data = data.apply(tf.data.experimental.assert_cardinality(len(batches)))
    if strategy.num_replicas_in_sync == 2:
        rows = [
            [len(next(iter(half.values()))) for half in strategy.experimental_local_results(batch)]
            for batch in strategy.experimental_distribute_dataset(data)
        ]
        assert rows == [[8, 8], [8, 8], [2, 1], [1, 0]], rows
    history = model.fit(data, epochs=2, verbose=0).history
    after = model.get_weights()
    moved = [np.abs(a - b).max() for a, b in zip(after, before, strict=True) if a.dtype.kind == "f"]
    assert max(moved) > 1e-3, "nothing was trained"
    return after, [value for name in sorted(history) for value in history[name]]


def difference(a: list, b: list) -> float:
    """Returns the largest difference of two entries, NaN if one is NaN."""
    return float(np.max([np.max(np.abs(np.subtract(x, y, dtype=np.float64))) for x, y in zip(a, b, strict=True)]))


if __name__ == "__main__":
    cpu = tf.config.list_physical_devices("CPU")[0]
    tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)
    # One strategy for all models: another one would number its collective operations like the first.
    strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
    assert strategy.num_replicas_in_sync == 2
    differences = {}
    for name in sys.argv[1:] or MODELS:
        one, two = (trained(MODELS[name], each) for each in (tf.distribute.get_strategy(), strategy))
        differences[name] = {"weights": difference(one[0], two[0]), "logs": difference(one[1], two[1])}
        print(name, differences[name], file=sys.stderr, flush=True)
    print(json.dumps(differences))
