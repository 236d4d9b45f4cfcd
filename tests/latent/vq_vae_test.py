"""Tests of the VQ-VAE: its gradients by hand, its codebook's step, and its bound by enumeration."""

import itertools

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import (
    CodesContract,
    EstimatesContract,
    ModelContract,
    assert_same_weights,
    chi_square,
    randomise,
    values,
)
from contracts.replicas import ReplicasContract

import keras_gen
from keras_gen.core import saving
from keras_gen.latent import VQVAE

SMALL = {
    "event_shape": (5, 4, 2),
    "num_codes": 5,
    "levels": 3,
    "code_size": 3,
    "filters": (6, 4),
    "residual_blocks": 1,
    "residual_filters": 3,
    "beta": 0.5,
    "codebook": "gradient",
    "decay": 0.9,
    "restart_after": 7,
    "likelihood": "categorical",
    "prior": {"filters": 4, "num_layers": 2, "head_filters": 5},
    "seed": 5,
    "name": "quantized",
}

SMALL_PRIOR = {"filters": 4, "num_layers": 2}


class TestLevels(ModelContract, EstimatesContract, CodesContract):
    """Every argument away from its default."""

    def make_model(self, **changes):
        return VQVAE(**{**SMALL, **changes})

    def make_data(self):
        random = np.random.default_rng(0)
        return np.broadcast_to(random.integers(0, 3, (40, 1, 1, 1)), (40, 5, 4, 2)).copy()

    def make_known(self):
        """A model that encodes every image as the code 0, of which its prior is nearly sure."""
        model = VQVAE((4, 2, 1), 3, code_size=2, filters=(4,), codebook="gradient", prior=SMALL_PRIOR)
        model.quantizer.codebook.assign([[0.0, 0.0], [9.0, 9.0], [-9.0, -9.0]])
        model.code_prior.head[-1].bias.assign([8.0, 0.0, 0.0])
        x, _, joint = joint_masses(model)
        return model, x[::16], np.log(np.exp(joint).sum(axis=0))[::16]


class TestRestarts(ReplicasContract):
    """Every code that a batch leaves unused moves to one of its vectors, whichever replica that is on."""

    def make_model(self):
        return VQVAE((4, 4, 1), 16, code_size=3, filters=(6,), restart_after=1, decay=0.9)

    def compile_with_sgd(self, model):
        model.compile(keras.optimizers.SGD(0.05), run_eagerly=True)
        return model

    @pytest.fixture(scope="class")
    @classmethod
    def batch(cls):
        return {"x": np.random.default_rng(0).integers(0, 2, (8, 4, 4, 1))}


def patterns(num):
    """Images of 8×8 bits, of which each quarter is one of two patterns, alternately across and down."""
    random = np.random.default_rng(1)
    kinds = random.integers(0, 2, (num, 1, 1, 1)) ^ np.array([[0, 1], [1, 0]])[:, :, np.newaxis]
    stripes = np.stack([np.tile([0, 1], (4, 2)), np.tile([[0], [1]], (2, 4))])
    images = stripes[kinds[..., 0]]
    return images.transpose(0, 1, 3, 2, 4).reshape(num, 8, 8, 1).astype(np.float32)


def moved(model, scale=1.0):
    """Moves all weights of both stages."""
    randomise(model, scale)
    model.code_prior.trainable = True
    randomise(model.code_prior, scale, seed=1)
    model.code_prior.trainable = False
    return model


@pytest.fixture(scope="module")
def trained():
    """A model after both stages, and how the second one went."""
    model = VQVAE(
        (8, 8, 1), 4, code_size=4, filters=(8, 8), residual_blocks=1, residual_filters=8, restart_after=10,
        prior={"filters": 8, "num_layers": 2, "head_filters": 8},
    )  # fmt: skip
    model.compile(keras.optimizers.Adam(0.01))
    x = patterns(256)
    model.fit(x, batch_size=32, epochs=20, verbose=0)
    before, bound = values(model.weights), model.log_prob_bound(x, seed=0)[0].numpy().mean()
    history = model.fit_prior(x, optimizer=keras.optimizers.Adam(0.01), batch_size=32, epochs=40, verbose=0).history
    return model, x, before, bound, history


@pytest.mark.parametrize("codebook", ["gradient", "ema"])
def test_gradients_are_those_of_the_paper(codebook):
    model = moved(VQVAE((4, 4, 1), 6, code_size=3, filters=(4,), beta=0.3, codebook=codebook))
    x = tf.constant(np.random.default_rng(0).integers(0, 2, (5, 4, 4, 1)), tf.float32)
    z = tf.constant(np.random.default_rng(1).standard_normal((5, 2, 2, 3)), tf.float32)
    codes = model.quantizer.nearest(z)
    e = tf.constant(model.quantizer(codes))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch([z, e])
        terms = model.terms_of(x, z, codes)
        loss = tf.reduce_sum(terms["loss"])
        straight = tf.reduce_sum(model.log_likelihood(x, e))
    expected = 2.0 * 0.3 * (z - e) - tape.gradient(straight, e)
    np.testing.assert_allclose(tape.gradient(loss, z), expected, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(terms["commitment"], np.sum((z - e) ** 2, axis=(1, 2, 3)), rtol=1e-5)
    np.testing.assert_allclose(terms["reconstruction"], model.log_likelihood(x, e), rtol=1e-4)
    distance = (0.3 + (codebook == "gradient")) * terms["commitment"]
    np.testing.assert_allclose(terms["loss"], distance - terms["reconstruction"], rtol=1e-5)

    found = tape.gradient(loss, model.quantizer.codebook)
    if codebook == "ema":
        assert not any(weight is model.quantizer.codebook for weight in model.trainable_weights)
        return
    # Each code is drawn to the vectors that are rounded to it, whatever the reconstruction.
    expected = np.zeros((6, 3))
    np.add.at(expected, codes.numpy().ravel(), 2.0 * (e - z).numpy().reshape(-1, 3))
    np.testing.assert_allclose(tf.convert_to_tensor(found), expected, rtol=1e-4, atol=1e-5)


def test_a_training_step_moves_the_averages_and_evaluation_does_not():
    model = VQVAE((4, 4, 1), 4, code_size=2, filters=(4,), decay=0.8, restart_after=None)
    model.compile(keras.optimizers.SGD(0.1))
    moved(model)
    x = np.random.default_rng(0).integers(0, 2, (8, 4, 4, 1)).astype(np.float32)
    z = model.vectors(tf.constant(x)).numpy().reshape(-1, 2)
    codebook, codes = model.quantizer.codebook.numpy(), model.encode(x).numpy().ravel()
    one_hot = np.eye(4)[codes]
    counts, sums = 0.8 + 0.2 * one_hot.sum(axis=0), 0.8 * model.quantizer.sums.numpy() + 0.2 * one_hot.T @ z
    expected = np.where(one_hot.any(axis=0)[:, np.newaxis], sums / counts[:, np.newaxis], codebook)

    before = values(model.weights)
    logs = model.evaluate(x, verbose=0, return_dict=True)
    for weight, value in zip(values(model.weights), before, strict=True):
        np.testing.assert_array_equal(weight, value)
    share = np.mean(one_hot, axis=0)
    np.testing.assert_allclose(logs["perplexity"], np.exp(-np.sum(share * np.log(share + (share == 0)))), rtol=1e-5)

    model.train_on_batch(x)
    np.testing.assert_allclose(model.quantizer.codebook, expected, rtol=1e-4, atol=1e-6)
    assert np.abs(expected - codebook).max() > 0.01


def joint_masses(model):
    """Returns all 2⁸ images, all 3² codes, and log p(x, k), of shape `(codes, images)`."""
    x = np.array(list(itertools.product([0, 1], repeat=8)), np.float32).reshape(-1, 4, 2, 1)
    codes = np.array(list(itertools.product(range(3), repeat=2))).reshape(-1, 2, 1)
    log_prior = model.code_prior.log_prob(codes[..., np.newaxis]).numpy()
    given = [
        model.log_likelihood(tf.constant(x), tf.repeat(model.quantizer(code[np.newaxis]), 256, 0)) for code in codes
    ]
    return x, codes, log_prior[:, np.newaxis] + np.array(given, np.float64)


@pytest.fixture(scope="module")
def enumerated():
    """A model of 2⁸ images and 3² codes, all of both, and the logarithm of the joint mass of each pair."""
    model = moved(VQVAE((4, 2, 1), 3, code_size=2, filters=(4,), codebook="gradient", prior=SMALL_PRIOR))
    return model, *joint_masses(model)


def test_the_bound_is_the_joint_mass_with_the_nearest_code(enumerated):
    model, x, _, joint = enumerated
    exact = np.log(np.exp(joint).sum(axis=0))
    np.testing.assert_allclose(np.exp(exact).sum(), 1.0, atol=1e-4)
    bound, error = model.log_prob_bound(x, num_samples=7, seed=3)
    assert (bound.numpy() < exact + 1e-4).all()
    assert (exact - bound.numpy()).max() > 0.1
    index = model.encode(x).numpy().reshape(-1, 2) @ [3, 1]
    assert len(np.unique(index)) > 2
    np.testing.assert_allclose(bound, joint[index, np.arange(256)], rtol=1e-4)
    np.testing.assert_array_equal(error, np.zeros(256))


def test_samples_follow_the_masses(enumerated):
    model, _, codes, joint = enumerated
    masses = np.exp(joint).sum(axis=0)
    samples = model.sample(20_000, seed=5).numpy().reshape(-1, 8)
    counts = np.bincount((samples @ 2 ** np.arange(8)[::-1]).astype(int), minlength=256)
    assert chi_square(counts, 20_000 * masses) > 1e-4
    # The mean of the likelihood at a code, against the samples' mean.
    means = np.tensordot(np.exp(joint).sum(axis=1), model.decode(codes).numpy(), 1)
    np.testing.assert_allclose(samples.mean(axis=0).reshape(4, 2, 1), means, atol=0.02)


def test_both_stages_learn_the_data(trained):
    model, x, before, bound, history = trained
    np.testing.assert_array_equal(np.round(model.reconstruct(x)), x)
    # Only the prior's weights changed in the second stage: they and its seeds are the last ones.
    prior = {id(weight) for weight in model.code_prior.weights}
    for weight, value in zip(model.weights, before, strict=True):
        if id(weight) not in prior:
            np.testing.assert_array_equal(weight, value)
    # There are two images, alike in number: one bit is the least that the prior can spend.
    assert history["nll"][0] > 1.5
    assert np.log(2.0) - 0.01 < history["nll"][-1] < 1.2
    assert model.log_prob_bound(x)[0].numpy().mean() > bound + 1.0
    samples = np.round(model.sample(100, seed=0))
    known = np.unique(x, axis=0)
    assert len(known) == 2
    assert np.mean([(sample == known).all(axis=(1, 2, 3)).any() for sample in samples]) > 0.5
    assert not model.code_prior.trainable


def test_a_file_keeps_the_prior(trained, tmp_path):
    model, x, *_ = trained
    saving.save_model(model, tmp_path / "model.keras")
    copy = keras_gen.load_model(tmp_path / "model.keras")
    assert_same_weights(copy.weights, model.weights)
    np.testing.assert_array_equal(copy.sample(8, seed=1), model.sample(8, seed=1))
    np.testing.assert_array_equal(copy.log_prob_bound(x)[0], model.log_prob_bound(x)[0])


def test_the_prior_can_be_fitted_as_a_model_of_its_own(trained):
    model, x, *_ = trained
    copy = VQVAE.from_config(model.get_config())
    copy.set_weights(model.get_weights())
    prior = copy.new_prior()
    assert_same_weights(prior.weights, model.code_prior.weights)
    codes = model.code_images(x[:32])
    assert codes.shape == (32, *model.code_shape, 1)
    np.testing.assert_array_equal(codes[..., 0], model.encode(x[:32]))
    prior.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    prior.fit(codes, verbose=0)
    # Until the model takes its weights, the prior learns beside it.
    assert_same_weights(copy.weights, model.weights)
    copy.take_prior(prior)
    assert_same_weights(copy.code_prior.weights, prior.weights)
    assert np.any(prior.log_prob(codes) != model.code_prior.log_prob(codes))
    images = next(iter(model.code_images(tf.data.Dataset.from_tensor_slices(x).batch(32))))
    np.testing.assert_array_equal(images, codes)


def test_the_prior_learns_from_arrays_as_from_data_sets():
    x = patterns(32).astype(np.uint8)
    histories = []
    for data in (x, tf.data.Dataset.from_tensor_slices(x).batch(8)):
        model = VQVAE((8, 8, 1), 4, filters=(8, 8), prior={"filters": 4, "num_layers": 2})
        arguments = {} if isinstance(data, tf.data.Dataset) else {"batch_size": 8, "validation_batch_size": 8}
        histories.append(
            model.fit_prior(data, validation_data=data, epochs=2, shuffle=False, verbose=0, **arguments).history
        )
    assert histories[0].keys() == histories[1].keys()
    for name, series in histories[0].items():
        np.testing.assert_allclose(series, histories[1][name], rtol=1e-4)
    assert "val_nll" in histories[0]


@pytest.mark.parametrize("shape", [(8, 8, 1), (7, 5, 2), (1, 6, 3)])
def test_networks_reach_every_entry_of_any_size(shape):
    model = moved(VQVAE(shape, 8, levels=256, filters=(6, 6), code_size=3))
    x = np.random.default_rng(0).integers(0, 256, (4, *shape)).astype(np.float32)
    codes = model.encode(x)
    assert codes.shape == (4, *model.code_shape)
    rows, columns, _ = shape
    assert model.code_shape == (-(-rows // 4), -(-columns // 4))
    everywhere = np.arange(8).reshape(8, 1, 1) * np.ones((1, *model.code_shape), int)
    assert model.decode(everywhere).shape == (8, *shape)
    parameters = model.parameters(model.quantizer(everywhere))
    assert parameters.shape == (8, *shape, 2)
    assert (np.ptp(parameters, axis=0) > 0).all()
    x = tf.constant(x)
    with tf.GradientTape() as tape:
        tape.watch(x)
        z = model.vectors(x)
    # Every pixel is seen, unless a ReLU is closed for it in all four images.
    assert np.mean(np.any(tape.gradient(z, x) != 0, axis=0)) > 0.9


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        (lambda m: VQVAE((4,)), r"`event_shape` must be \(height, width, channels\), received \(4,\)"),
        (lambda m: VQVAE((4, 4, 1), 1), "`num_codes` must be at least 2, received 1"),
        (lambda m: VQVAE((4, 4, 1), filters=()), r"`filters` must have at least one entry, received \(\)"),
        (lambda m: VQVAE((4, 4, 1), codebook="emma"), "`codebook` 'emma' is unknown; did you mean ema"),
        (lambda m: VQVAE((4, 4, 1), decay=1.0), "`decay` must be at least 0 and less than 1, received 1.0"),
        (lambda m: VQVAE((4, 4, 1), restart_after=0), "`restart_after` must be at least 1, received 0"),
        (lambda m: VQVAE((4, 4, 1), beta=-1.0), "`beta` must be at least 0, received -1.0"),
        (lambda m: VQVAE((4, 4, 1), prior={"filter": 2}), "`prior` 'filter' is unknown; did you mean filters"),
        (lambda m: VQVAE((4, 4, 1), likelihood="normal"), "`likelihood` 'normal' does not suit entries with 2 levels"),
        (lambda m: m.decode(np.full((1, 2, 1), 3)), "`codes` holds the value 3; expected whole levels from 0 to 2"),
        (lambda m: m.decode(np.zeros((1, 2))), r"`codes` must have shape \(batch, 2, 1\), received \(1, 2\)"),
        (lambda m: m.encode(np.full((1, 4, 2, 1), 2)), "`x` holds the value 2; expected whole levels from 0 to 1"),
        (lambda m: m.fit_prior(np.full((1, 4, 2, 1), 2)), "`x` holds the value 2; expected whole levels from 0 to 1"),
        (lambda m: m.log_prob_bound(np.zeros((1, 4, 2, 1)), None, 0), "`num_samples` must be at least 1, received 0"),
    ],
)
def test_mistakes_get_one_sentence(enumerated, call, sentence):
    with pytest.raises(ValueError, match=sentence):
        call(enumerated[0])
