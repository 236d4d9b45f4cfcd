"""The game over codes: its value at the optimal discriminator, and what each phase changes and leaves."""

import math

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import CodesContract, ConditionContract, ModelContract
from scipy import stats

from keras_gen.core import Step
from keras_gen.latent import AdversarialAutoencoder
from keras_gen.latent.adversarial_autoencoder import MatchedAutoencoder

SHAPE = (5, 3, 2)
LEVELS = 6


def make(**changes):
    return AdversarialAutoencoder(
        **{
            "event_shape": SHAPE,
            "latent_size": 2,
            "levels": LEVELS,
            "prior": {"name": "ring", "num_modes": 3, "radius": 2.0},
            "num_classes": 3,
            "hidden_units": (7,),
            "filters": (4, 6),
            "discriminator_units": (9, 5),
            "activation": "elu",
            "reconstruction": "cross_entropy",
            "input_noise": 0.1,
            "seed": 5,
            "name": "players",
            **changes,
        }
    )


def compiled(model, rate=0.1):
    model.compile(*(keras.optimizers.SGD(rate) for _ in range(3)), run_eagerly=True)
    return model


class TestContract(ModelContract, CodesContract, ConditionContract):
    """Every argument away from its default."""

    argument_bases = (MatchedAutoencoder,)
    falling_term = "reconstruction_loss"

    def make_model(self, **changes):
        return make(**changes)

    def make_data(self):
        random = np.random.default_rng(0)
        return np.broadcast_to(random.integers(0, LEVELS, (40, 1, 1, 1)), (40, *SHAPE)).copy()

    def compile(self, model, **arguments):
        model.compile(*(keras.optimizers.Adam(rate) for rate in (0.02, 0.01, 0.005)), **arguments)
        return model


@pytest.fixture(scope="module")
def images():
    return np.random.default_rng(0).integers(0, LEVELS, (8, *SHAPE)).astype(np.float32)


def step_of(seed=4, *, training=True):
    return Step(tf.constant([3, seed], tf.int32), training=training)


def batch_of(x, labels=None):
    return {"x": tf.constant(x), **({} if labels is None else {"condition": tf.constant(labels)})}


def affine(**changes):
    """An encoder z = w x + b of real numbers, without hidden layers."""
    return AdversarialAutoencoder(
        **{
            "event_shape": (1,),
            "latent_size": 1,
            "levels": None,
            "hidden_units": (),
            "discriminator_units": (),
            **changes,
        }
    )


# The value of the game


def optimal_logits(mean, scale):
    return lambda codes, condition: tf.constant(
        stats.norm.logpdf(codes) - stats.norm.logpdf(codes, mean, scale), tf.float32
    )


def test_the_optimal_discriminator_pays_the_jensen_shannon_divergence():
    r"""With A = p/(p + q), the loss is log 4 - 2 JSD(p, q), here for p = N(0, 1) and q = N(1.5, 0.6²)."""
    mean, scale = 1.5, 0.6
    model = affine()
    kernel, bias = model.encoder.trainable_variables
    kernel.assign([[scale]])
    bias.assign([mean])
    model.logits = optimal_logits(mean, scale)
    x = np.random.default_rng(0).standard_normal((100_000, 1)).astype(np.float32)
    terms = model.loss_terms(batch_of(x), step_of(training=False))

    grid = np.linspace(-8.0, 8.0, 20_001)
    p, q = stats.norm.pdf(grid), stats.norm.pdf(grid, mean, scale)
    middle = (p + q) / 2
    divergence = np.trapezoid(0.5 * (p * np.log(p / middle) + q * np.log(q / middle)), grid)
    assert divergence > 0.2
    losses = terms["discriminator_loss"].numpy()
    error = float(losses.std()) / math.sqrt(len(losses))
    assert losses.mean() == pytest.approx(math.log(4.0) - 2.0 * divergence, abs=4.0 * error)
    expected = np.trapezoid(-q * np.log(p / (p + q)), grid)
    assert terms["generator_loss"].numpy().mean() == pytest.approx(expected, abs=0.02)
    # Equal distributions cannot be told apart.
    kernel.assign([[1.0]])
    bias.assign([0.0])
    model.logits = optimal_logits(0.0, 1.0)
    terms = model.loss_terms(batch_of(x), step_of(training=False))
    np.testing.assert_allclose(terms["discriminator_loss"], math.log(4.0), rtol=1e-6)
    np.testing.assert_allclose(terms["generator_loss"], math.log(2.0), rtol=1e-6)


# The phases


def networks(model):
    return {"encoder": [model.encoder], "decoder": [model.decoder], "discriminator": model.discriminators}


@pytest.mark.parametrize(
    ("phase", "changed"),
    [("reconstruction", ["encoder", "decoder"]), ("discriminator", ["discriminator"]), ("generator", ["encoder"])],
)
def test_a_phase_changes_its_networks_alone(images, phase, changed):
    model = compiled(make())
    weights = {name: [w for layer in layers for w in layer.weights] for name, layers in networks(model).items()}
    before = {name: [weight.numpy() for weight in group] for name, group in weights.items()}
    step = step_of()
    model.take_phase(phase, model.objectives(batch_of(images, [0, 1, 2, -1] * 2), step)[phase], step)
    for name, group in weights.items():
        same = [np.array_equal(weight, start) for weight, start in zip(group, before[name], strict=True)]
        assert not any(same) if name in changed else all(same), name


def test_a_step_descends_the_gradients_of_a_linear_model():
    r"""With $z = wx + b$, $\hat x = vz + c$ and $a = αz + β$, all gradients are written by hand."""
    rate = 0.1
    model = compiled(affine(), rate)
    w, b, v, c, alpha, beta = 0.7, -0.2, 1.3, 0.4, 0.9, -0.3
    variables = model.encoder.variables + model.decoder.variables + model.discriminators[0].variables
    for variable, value in zip(variables, (w, b, v, c, alpha, beta), strict=True):
        variable.assign(np.reshape(value, variable.shape))
    x = np.array([0.5, -1.0, 2.0])
    seed = tf.cast(keras.random.SeedGenerator(0).next(), tf.int32)
    prior = model.noise(3, seed)["normal"].numpy()[:, 0].astype(np.float64)
    model.train_step(tf.constant(x[:, np.newaxis], tf.float32))

    def sigmoid(a):
        return 1.0 / (1.0 + np.exp(-a))

    # Half the squared error, from first to last.
    z = w * x + b
    error = v * z + c - x
    w, b, v, c = (
        w - rate * np.mean(error * v * x),
        b - rate * np.mean(error * v),
        v - rate * np.mean(error * z),
        c - rate * np.mean(error),
    )
    # -log σ(a) on draws of the prior, -log(1 - σ(a)) on codes of the encoder that has just taken a step.
    z = w * x + b
    on_prior, on_codes = sigmoid(alpha * prior + beta) - 1.0, sigmoid(alpha * z + beta)
    alpha, beta = (
        alpha - rate * np.mean(on_prior * prior + on_codes * z),
        beta - rate * np.mean(on_prior + on_codes),
    )
    # -log σ(a) of codes.
    slope = (sigmoid(alpha * z + beta) - 1.0) * alpha
    w, b = w - rate * np.mean(slope * x), b - rate * np.mean(slope)
    found = [variable.numpy().item() for variable in variables]
    np.testing.assert_allclose(found, [w, b, v, c, alpha, beta], rtol=1e-5)


def test_reconstruction_losses_are_summed_over_the_entries(images):
    for kind in ("squared_error", "cross_entropy"):
        model = make(reconstruction=kind, input_noise=0.0)
        x, mean = images / (LEVELS - 1), model.reconstruct(images).numpy() / (LEVELS - 1)
        error = 0.5 * (x - mean) ** 2 if kind == "squared_error" else -x * np.log(mean) - (1 - x) * np.log(1 - mean)
        terms = model.loss_terms(batch_of(images, [0] * 8), step_of())
        np.testing.assert_allclose(terms["reconstruction_loss"], error.sum(axis=(1, 2, 3)), rtol=1e-4)


def test_the_encoder_sees_noise_in_training_alone(images):
    model = make(input_noise=0.5)
    clean = images / (LEVELS - 1)
    np.testing.assert_allclose(model.encoder_inputs(tf.constant(images), step_of(training=False)), clean, rtol=1e-6)
    noise = np.concatenate([model.encoder_inputs(tf.constant(images), step_of(i)).numpy() - clean for i in range(20)])
    assert stats.kstest(noise.ravel(), stats.norm(0.0, 0.5).cdf).pvalue > 1e-3


# Labels


def test_the_discriminator_sees_the_label_and_whether_it_is_known():
    model = make()
    codes = tf.zeros((4, 2))
    logits = model.logits(codes, tf.constant([0, 1, 2, -1])).numpy()[:, 0]
    assert len(np.unique(logits)) == 4
    # One-hot, the class for unknown last, behind the code: the rows of the first kernel.
    kernel, bias = model.discriminators[0].dense_layers[0].weights
    assert kernel.shape == (2 + 4, 9)
    for label, row in ((0, 2), (2, 4), (-1, 5)):
        hidden = tf.nn.elu(kernel[row] + bias)[tf.newaxis]
        hidden = tf.nn.elu(model.discriminators[0].dense_layers[1](hidden))
        expected = model.discriminators[0].dense_layers[2](hidden)
        np.testing.assert_allclose(model.logits(codes[:1], tf.constant([label])), expected, rtol=1e-5)


def test_prior_draws_have_the_labels_of_the_batch():
    """In a training step, and in sampling."""
    model = make()
    seen = []
    model.logits = lambda codes, condition: seen.append((codes, condition)) or tf.zeros((len(codes), 1))
    labels, step = tf.constant([0, 1, 2, 0, -1, -1]), step_of()
    model.objectives(batch_of(tf.zeros((6, *SHAPE)), labels), step)["discriminator"]()
    codes, condition = seen[0]
    np.testing.assert_array_equal(condition, labels)
    np.testing.assert_allclose(codes, model.prior_sampler.codes(model.noise(6, step.seed), labels))
    noise = model.noise(6, 0)
    np.testing.assert_array_equal(
        model.generate(noise, labels), tf.round(model.decode(model.prior_sampler.codes(noise, labels)))
    )


# Training


def energy_distance(x, y):
    def between(a, b):
        return np.mean(np.linalg.norm(a[:, np.newaxis] - b, axis=-1))

    return 2.0 * between(x, y) - between(x, x) - between(y, y)


def test_codes_come_to_follow_the_prior():
    """Of data on a line: without the game an autoencoder's codes lie where it likes."""
    random = np.random.default_rng(0)
    x = (random.uniform(-1.0, 1.0, (512, 1)) * [1.0, -2.0, 0.5] + 3.0).astype(np.float32)
    model = AdversarialAutoencoder(
        (3,), 1, None, prior={"name": "normal", "scale": 2.0}, hidden_units=(32,), discriminator_units=(32,)
    )
    model.compile(*(keras.optimizers.Adam(rate, beta_1=0.5) for rate in (0.003, 0.01, 0.003)))
    prior = 2.0 * random.standard_normal((512, 1))
    distances = [energy_distance(model.encode(x).numpy(), prior)]
    errors = [np.mean((model.reconstruct(x).numpy() - x) ** 2)]
    for _ in range(2):
        model.fit(np.tile(x, (30, 1)), batch_size=64, verbose=0)
        distances.append(energy_distance(model.encode(x).numpy(), prior))
        errors.append(np.mean((model.reconstruct(x).numpy() - x) ** 2))
    codes = model.encode(x).numpy()
    assert distances[0] > 0.5
    assert distances[-1] < 0.1
    assert codes.mean() == pytest.approx(0.0, abs=0.5)
    assert codes.std() == pytest.approx(2.0, abs=0.5)
    assert errors[-1] < 0.05 * errors[0]


def test_evaluation_leaves_every_weight_and_repeats(images):
    model = compiled(make())
    before = [weight.numpy() for weight in model.trainable_weights]
    labels = np.array([0, 1, 2, -1] * 2)
    logs = [model.evaluate(images, labels, verbose=0, return_dict=True) for _ in range(2)]
    assert logs[0] == logs[1]
    assert model.predict(images, verbose=0).shape == images.shape
    for weight, start in zip(model.trainable_weights, before, strict=True):
        np.testing.assert_array_equal(weight, start)


# Mistakes


@pytest.mark.parametrize(
    ("options", "error", "sentence"),
    [
        ({"prior": "rings"}, ValueError, "`prior` 'rings' is unknown; did you mean ring"),
        ({"prior": {"name": "ring", "turns": 2}}, ValueError, r"`prior\['ring'\]` 'turns' is unknown"),
        ({"prior": "normal"}, ValueError, "`prior` must have one mode for each of 3 classes .*, which has none"),
        ({"num_classes": 4}, ValueError, "`prior` must have one mode for each of 4 classes .*, which has 3"),
        ({"latent_size": 3}, ValueError, "`latent_size` must be 2 for a prior over the plane, received 3"),
        ({"reconstruction": "mse"}, ValueError, "`reconstruction` 'mse' is unknown"),
        ({"levels": None}, ValueError, "`reconstruction` must be 'squared_error' for real numbers"),
        ({"input_noise": -0.1}, ValueError, "`input_noise` must be at least 0, received -0.1"),
        ({"discriminator_units": 5}, TypeError, "`discriminator_units` must be a tuple of whole numbers, received 5"),
    ],
)
def test_wrong_arguments(options, error, sentence):
    with pytest.raises(error, match=sentence):
        make(**options)


def test_wrong_labels(images):
    model = compiled(make())
    with pytest.raises(ValueError, match="`condition` holds the value -2; expected whole labels from -1 to 2"):
        model.fit(images, np.full(8, -2), verbose=0)


def test_codes_take_no_label(images):
    model = make()
    for verb, values in ((model.encode, images), (model.decode, np.zeros((8, 2)))):
        with pytest.raises(ValueError, match="`condition` must be None: codes of AdversarialAutoencoder do not depend"):
            verb(values, np.zeros(8, int))


def test_one_optimizer_for_two_phases():
    model, optimizer = make(), keras.optimizers.Adam()
    with pytest.raises(ValueError, match="`generator_optimizer` must be an optimizer of its own"):
        model.compile(optimizer, keras.optimizers.Adam(), optimizer)
