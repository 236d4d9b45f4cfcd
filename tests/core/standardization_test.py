"""Tests of the unit of real numbers: every model takes it from the data, and returns what is in it."""

import keras
import numpy as np
import pandas as pd
import pytest
import tensorflow as tf
from contracts import assert_same_weights, traced
from contracts.replicas import two_replicas

import keras_gen
from keras_gen import adversarial, autoregressive, energy, flows, latent, mixtures, translation

RANDOM = np.random.default_rng(0)
#: Columns of which one deviates by ten thousand, and one by a thousandth.
ROWS = np.cumsum(RANDOM.normal(size=(64, 3)), axis=1) * [1e4, 1.0, 1e-3] + [3e4, -5.0, 2e-3]
MEAN, DEVIATION = ROWS.mean(axis=0), ROWS.std(axis=0)
LOG_VOLUME = np.log(DEVIATION).sum()
LABELS = np.arange(64) % 2

DENSE = {"name": "dense", "hidden_units": (4,)}
PLAYERS = {"latent_size": 2, "generator_network": DENSE, "discriminator_network": DENSE}
SMALL = {"hidden_units": (4,)}

#: Models of real numbers, one of each kind.
MODELS = {
    "RealNVP": lambda **k: flows.RealNVP((3,), num_layers=2, **SMALL, **k),
    "MADE": lambda **k: autoregressive.MADE((3,), (4,), None, num_components=2, num_masks=2, **k),
    "RNADE": lambda **k: autoregressive.RNADE((3,), 4, 2, **k),
    "RecurrentAR": lambda **k: autoregressive.RecurrentAR((3,), (4,), None, num_components=2, **k),
    "VAE": lambda **k: latent.VAE((3,), 2, None, prior={"name": "vamp_prior", "num_components": 3}, **SMALL, **k),
    "IWAE": lambda **k: latent.IWAE((3,), 2, None, num_samples=3, **SMALL, **k),
    "ConditionalVAE": lambda **k: latent.ConditionalVAE((3,), 2, None, num_classes=2, **SMALL, **k),
    "HierarchicalVAE": lambda **k: latent.HierarchicalVAE((3,), levels=None, latent_sizes=(2, 1), **k),
    "Autoencoder": lambda **k: latent.Autoencoder((3,), 2, None, **SMALL, **k),
    "DenoisingAutoencoder": lambda **k: latent.DenoisingAutoencoder(
        (3,), 2, None, corruption="masking", likelihood="normal", **SMALL, **k
    ),
    "AdversarialAutoencoder": lambda **k: latent.AdversarialAutoencoder((3,), 2, None, input_noise=0.1, **SMALL, **k),
    "ProbabilisticPCA": lambda **k: latent.ProbabilisticPCA((3,), **{"standardize": True, **k}),
    "GAN": lambda **k: adversarial.GAN((3,), None, **PLAYERS, **k),
    "WGANGP": lambda **k: adversarial.WGANGP((3,), None, **PLAYERS, **k),
    "DeepEBM": lambda **k: energy.DeepEBM((3,), None, network=DENSE, objective="noise_contrastive", num_steps=2, **k),
    "RBM": lambda **k: energy.RBM((3,), 4, None, num_sweeps=2, **k),
    "MultimodalDBM": lambda **k: energy.MultimodalDBM(
        (3,), None, num_classes=2, hidden_units=(3,), condition_units=(2,), joint_units=2, num_sweeps=2, **k
    ),
    "GaussianMixture": lambda **k: mixtures.GaussianMixture((3,), 2, **{"standardize": True, **k}),
    "ParzenWindow": lambda **k: mixtures.ParzenWindow((3,), 50, **{"standardize": True, **k}),
}

#: What a figure of rows in the data's units is larger by, where that is not 0.
SHIFTS = {
    **dict.fromkeys(("nll", "free_energy", "loss of a density"), LOG_VOLUME),
    **dict.fromkeys(("elbo", "bound", "reconstruction"), -LOG_VOLUME),
}


@pytest.fixture(autouse=True)
def functions_run_eagerly():
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def fitted(model, x, **arguments):
    model.compile()
    labels = None if model.condition_space is None else LABELS
    return model.fit(x, labels, batch_size=32, shuffle=False, verbose=0, **arguments)


@pytest.mark.parametrize("name", MODELS)
def test_raw_rows_are_as_good_as_standardised_ones(name):
    """Training, figures, likelihoods, energies and draws are those of standardised rows, in the unit of the data."""
    raw, plain = MODELS[name](), MODELS[name](standardize=False)
    standardised = (ROWS - MEAN) / DEVIATION
    logs = [fitted(model, x).history for model, x in ((raw, ROWS), (plain, standardised))]
    np.testing.assert_allclose(raw.standardization.location, MEAN, rtol=1e-5)
    np.testing.assert_allclose(raw.standardization.scale, DEVIATION, rtol=1e-5)
    has_density = "nll" in raw.terms or "elbo" in raw.terms or name == "DenoisingAutoencoder"
    for term, (value,) in logs[0].items():
        shift = SHIFTS.get("loss of a density" if term == "loss" and has_density else term, 0.0)
        np.testing.assert_allclose(value, logs[1][term][0] + shift, rtol=1e-3, atol=2e-3, err_msg=term)

    condition = {} if raw.condition_space is None else {"condition": LABELS[:5]}
    if hasattr(raw, "sample"):
        ours, theirs = (model.sample(5, seed=0, **condition).numpy() for model in (raw, plain))
    else:
        ours, theirs = (model.reconstruct(x[:5]).numpy() for model, x in ((raw, ROWS), (plain, standardised)))
    # Which component of a mixture comes first, and draws with it, is a matter of rounding; its density below is not.
    if name != "GaussianMixture":
        np.testing.assert_allclose((ours - MEAN) / DEVIATION, theirs, atol=2e-3)
    if raw.likelihood_kind == "exact":
        ours, theirs = raw.log_prob(ROWS), plain.log_prob(standardised)
        np.testing.assert_allclose(ours, theirs - LOG_VOLUME, atol=2e-3)
    elif raw.likelihood_kind == "lower bound":
        arguments = {"num_samples": 3, "seed": 0, **condition}
        (ours, _), (theirs, _) = (
            raw.log_prob_bound(ROWS[:5], **arguments),
            plain.log_prob_bound(standardised[:5], **arguments),
        )
        np.testing.assert_allclose(ours, theirs - LOG_VOLUME, atol=2e-3)
    if hasattr(raw, "energy"):
        hidden = [space.examples(5) for space in list(raw.energy_spaces.values())[1:]]
        ours, theirs = raw.energy(ROWS[:5], *hidden), plain.energy(standardised[:5], *hidden)
        np.testing.assert_allclose(ours, theirs + LOG_VOLUME, rtol=1e-4, atol=2e-3)
    steps = {"MADE": {}, "VAE": {"num_steps": 2}, "RBM": {"num_sweeps": 2}, "MultimodalDBM": {"num_sweeps": 2}}
    if name in steps:
        pairs = ((raw, ROWS), (plain, standardised))
        ours, theirs = (m.impute(x[:5], [0, 0, 1], seed=0, **condition, **steps[name]).numpy() for m, x in pairs)
        np.testing.assert_array_equal(ours[:, :2], ROWS[:5, :2].astype(np.float32))
        np.testing.assert_allclose((ours[:, 2] - MEAN[2]) / DEVIATION[2], theirs[:, 2], atol=2e-3)


class Batches(keras.utils.PyDataset):
    """The rows in batches."""

    def __len__(self):
        return 2

    def __getitem__(self, index):
        return ROWS[32 * index : 32 * index + 32]


class Loader:
    """What gives batches whenever it is asked for them."""

    def __iter__(self):
        return iter([ROWS[:32], ROWS[32:]])


FORMS = {
    "list": (lambda: ROWS.tolist(), {}),
    "frame": (lambda: pd.DataFrame(ROWS), {}),
    "columns": (lambda: {"x": ROWS, "sample_weight": np.ones(64)}, {}),
    "data set": (lambda: tf.data.Dataset.from_tensor_slices(ROWS).batch(32), {}),
    "endless data set": (lambda: tf.data.Dataset.from_tensor_slices(ROWS).batch(32).repeat(), {"steps_per_epoch": 2}),
    "data set of a loader": (lambda: Loader(), {}),
    "PyDataset": (lambda: Batches(), {}),
    "generator": (lambda: iter([ROWS[:32], ROWS[32:]]), {}),
    "endless generator": (lambda: (ROWS[32 * (n % 2) :][:32] for n in range(10**6)), {"steps_per_epoch": 2}),
    "validation split": (lambda: np.concatenate([ROWS, 9.0 * ROWS[:16]]), {"validation_split": 0.2}),
}


def small():
    return flows.MAF((3,), 1, (4,))


@pytest.mark.parametrize("form", FORMS)
def test_all_forms_of_data_give_one_unit_and_no_batch_is_lost(form):
    data, arguments = FORMS[form]
    expected, model = small(), small()
    fitted(expected, ROWS)
    model.compile()
    batch_size = None if "data set" in form or "generator" in form or form == "PyDataset" else 32
    model.fit(data(), batch_size=batch_size, shuffle=False, verbose=0, **arguments)
    assert_same_weights(model.weights, expected.weights, rtol=1e-5, atol=1e-6)
    assert model.optimizer.iterations == 2


def test_a_batch_alone_gives_the_unit_once():
    expected, model = small(), small()
    fitted(expected, ROWS[:32])
    model.compile()
    model.train_on_batch(ROWS[:32])
    assert_same_weights(model.weights, expected.weights, rtol=1e-5, atol=1e-6)
    model.train_on_batch(100.0 + 7.0 * ROWS)
    np.testing.assert_array_equal(model.location, expected.location)


def test_weights_of_examples_count_in_the_unit():
    weights = np.arange(64) % 3
    model, repeated = small(), small()
    fitted(model, ROWS, sample_weight=weights)
    fitted(repeated, np.repeat(ROWS, weights, axis=0))
    for ours, theirs in ((model.location, repeated.location), (model.scale, repeated.scale)):
        np.testing.assert_allclose(ours, theirs, rtol=1e-5)


def test_two_replicas_take_the_unit_of_one_device():
    one = small()
    with two_replicas().scope():
        two = small()
    with traced():
        for model in (one, two):
            model.compile(keras.optimizers.SGD(0.01))
            model.fit(ROWS, batch_size=32, shuffle=False, verbose=0)
    assert_same_weights(two.weights, one.weights, rtol=1e-4, atol=1e-5)


def test_a_unit_is_taken_once(tmp_path):
    model = small()
    fitted(model, ROWS)
    model.save(tmp_path / "model.keras")
    again = keras_gen.load_model(tmp_path / "model.keras")
    expected = model.log_prob(ROWS).numpy()
    np.testing.assert_array_equal(again.log_prob(ROWS), expected)
    for each in (model, again):
        fitted(each, 100.0 + 7.0 * ROWS)
        np.testing.assert_allclose(each.location, MEAN, rtol=1e-5)
    # Of those who want it earlier, or not at all.
    adapted, left = small(), flows.MAF((3,), 1, (4,), standardize=False)
    adapted.adapt(2.0 * ROWS)
    for each, scale in ((adapted, 2.0 * DEVIATION), (left, np.ones(3))):
        fitted(each, ROWS)
        np.testing.assert_allclose(each.scale, scale, rtol=1e-5)
    assert left.get_config()["standardize"] is False


def test_an_entry_that_does_not_vary_is_shifted_alone():
    rows = ROWS * [1.0, 0.0, 1.0] + [0.0, 7.1, 0.0]
    vae = latent.VAE((3,), 2, None, **SMALL)
    fitted(vae, rows)
    np.testing.assert_allclose(vae.standardization.location[1], 7.1, rtol=1e-6)
    np.testing.assert_allclose(vae.standardization.scale, DEVIATION * [1.0, 0.0, 1.0] + [0.0, 1.0, 0.0], rtol=1e-5)
    for model in (latent.VAE((3,), 2, None, **SMALL), small()):
        with pytest.raises(ValueError, match="`x` must vary in every entry; entry 1 is the same in all rows"):
            model.adapt(rows)


def test_float64_that_float32_cannot_tell_apart_is_refused():
    times = ROWS.copy()
    times[:, 1] = 1.7e9 + np.arange(64.0)
    model = small()
    model.compile()
    for verb in (model.fit, model.adapt, model.train_on_batch):
        with pytest.raises(ValueError, match=r"`x` holds values up to 1.7e\+09 in entry 1 that deviate by 18.4"):
            verb(times)
    with pytest.raises(ValueError, match="`adapt` needs real numbers; this NADE is one of Levels"):
        autoregressive.NADE((3,), 4).adapt(np.zeros((2, 3)))


def test_images_share_the_unit_of_a_channel():
    images = RANDOM.normal([3.0, -700.0], [0.01, 50.0], (20, 4, 4, 2))
    images[:, 0, 0] = [3.0, -700.0]
    model = latent.VQVAE((4, 4, 2), 3, None, filters=(2,), residual_blocks=0)
    model.compile()
    model.fit(images, batch_size=20, verbose=0)
    channels = images.reshape(-1, 2)
    np.testing.assert_allclose(model.standardization.scale, np.broadcast_to(channels.std(axis=0), (4, 4, 2)), rtol=1e-4)
    errors = (model.reconstruct(images) - images) / channels.std(axis=0)
    assert np.abs(errors).mean() < 3.0


def test_what_was_done_to_rows_can_become_a_part_of_the_model():
    standardised = (ROWS - MEAN) / DEVIATION
    model = small()
    fitted(model, standardised[:40])
    expected = model.log_prob(standardised).numpy()
    model.standardization.absorb(MEAN, DEVIATION)
    np.testing.assert_allclose(model.log_prob(ROWS), expected - LOG_VOLUME, atol=1e-3)
    model.standardization.absorb(-MEAN / DEVIATION, 1.0 / DEVIATION)
    np.testing.assert_allclose(model.log_prob(standardised), expected, atol=1e-3)


def test_a_classifier_from_an_encoder_takes_raw_rows():
    model = latent.Autoencoder((3,), 2, None, **SMALL)
    fitted(model, ROWS)
    classifier = model.classifier(2)
    head = classifier.layers[-2]
    logits = head(model.encode(ROWS)).numpy()
    np.testing.assert_allclose(classifier.predict(ROWS, verbose=0), tf.nn.softmax(logits), atol=1e-4)


def test_images_that_are_translated_are_in_units_of_their_own():
    source = RANDOM.normal([300.0, 0.02], [40.0, 0.001], (8, 4, 4, 2))
    target = RANDOM.normal(-7e4, 9e3, (8, 4, 4, 1))
    raw, plain = (
        translation.Pix2Pix((4, 4, 2), (4, 4, 1), None, filters=1, standardize=flag) for flag in (True, False)
    )
    units = [(x.mean(axis=(0, 1, 2)), x.std(axis=(0, 1, 2))) for x in (source, target)]
    scaled = [(x - mean) / deviation for x, (mean, deviation) in zip((source, target), units, strict=True)]
    logs = []
    for model, columns in ((raw, (source, target)), (plain, scaled)):
        model.compile()
        batch = dict(zip(("source", "target"), columns, strict=True))
        logs.append(model.fit(batch, batch_size=4, shuffle=False, verbose=0).history)
    for name, value in logs[0].items():
        np.testing.assert_allclose(value, logs[1][name], rtol=1e-3, atol=1e-3, err_msg=name)
    mean, deviation = units[1]
    np.testing.assert_allclose((raw.translate(source) - mean) / deviation, plain.translate(scaled[0]), atol=5e-3)


def test_pieces_of_images_are_in_the_unit_of_these():
    images = RANDOM.normal(300.0, 0.5, (8, 4, 4, 1))
    model = translation.Jigsaw((4, 4, 1), None, grid=(2, 2), filters=(2,), hidden_units=3)
    model.compile()
    model.fit(images, batch_size=8, verbose=0)
    np.testing.assert_allclose(model.standardization.location, images.mean(), rtol=1e-5)
    pieces = model.pieces_space.scaled(tf.constant(images.reshape(8, 4, 2, 2, 1), tf.float32)).numpy()
    np.testing.assert_allclose([pieces.mean(), pieces.std()], [0.0, 1.0], atol=1e-3)
