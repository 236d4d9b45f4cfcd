"""GAN: the paper's networks, and every argument of adversarial models."""

import keras
import numpy as np
import pytest
from contracts import AdversarialContract

import keras_gen
from keras_gen.adversarial import GAN, LSGAN, WGAN, WGANGP, ConditionalGAN
from keras_gen.adversarial.optimizers import RisingMomentum


class TestContract(AdversarialContract):
    """Every argument away from its default, those of the base included."""

    passes = 12

    def make_model(self, **changes):
        return GAN(
            (3,),
            None,
            **{
                "latent_size": 4,
                "latent_distribution": "uniform",
                "output_activation": "tanh",
                "generator_network": {"name": "dense", "hidden_units": [6], "activation": "tanh", "noise_units": 5},
                "discriminator_network": {"name": "maxout", "units": [6], "pieces": [2], "dropout": 0.1},
                "objective": {"name": "least_squares", "fake": 0.0, "real": 1.0, "wanted": 1.0},
                "regularizers": ({"name": "r1", "weight": 0.01},),
                "discriminator_steps": 2,
                "generator_average": 0.5,
                "num_classes": 3,
                "seed": 4,
                "name": "players",
                **changes,
            },
        )

    def make_data(self):
        return (5.0 + np.random.default_rng(0).standard_normal((32, 3))).astype(np.float32)

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(0.01), **arguments)
        return model

    def outputs(self, model, seed):
        # Samples of the average, and those of the generator that is trained.
        condition = model.condition_space.examples(3)
        own = model.unrounded(model.noise(3, seed), condition)
        return np.concatenate([model.sample(3, condition=condition, seed=seed), own])

    @pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
    def test_mixed_precision_trains(self, data, policy):
        model = self.compile(self.make_model(dtype=policy), run_eagerly=True)
        for _ in range(2):
            logs = model.train_on_batch(data[:8], model.condition_space.examples(8), return_dict=True)
            assert np.all(np.isfinite(list(logs.values())))
        assert all(np.all(np.isfinite(weight)) for weight in model.get_weights())
        assert self.outputs(model, 0).dtype == np.float32


def test_networks_of_the_paper():
    model = GAN((28, 28, 1))
    shapes = [weight.shape for weight in model.generator.weights if weight.name == "kernel"]
    assert shapes == [(100, 1200), (1200, 1200), (1200, 784)]
    shapes = [weight.shape for weight in model.discriminator.weights if weight.name == "kernel"]
    assert shapes == [(784, 1200), (240, 1200), (240, 1)]


@pytest.mark.parametrize("family", [GAN, ConditionalGAN])
def test_players_start_as_in_the_authors_code(family):
    model = family((28, 28, 1))
    # A class is one number among zeros, and weighs ten times as much as a pixel.
    class_scale = {10: 10.0}
    for network, scale, factors in ((model.generator, 0.05, {}), (model.discriminator, 0.005, class_scale)):
        for weight in network.weights:
            if weight.name == "kernel":
                largest = scale * factors.get(weight.shape[0], 1.0)
                assert 0.95 * largest < np.abs(weight).max() <= largest, weight.path
            else:
                assert not np.any(weight), weight.path
    assert (model.latent_size, model.output_activation) == (100, "sigmoid")
    assert model.latent_distribution == ("normal" if family is GAN else "uniform")
    # D's loss is the mean over both kinds of examples: log 2 where it cannot tell them apart.
    x = np.zeros((4, 28, 28, 1))
    condition = () if family is GAN else (np.arange(4),)
    model.compile(run_eagerly=True)
    found = model.test_on_batch(x, *condition, return_dict=True)
    assert found["discriminator_loss"] == pytest.approx(np.log(2.0), abs=0.01)
    assert found["generator_loss"] == pytest.approx(np.log(2.0), abs=0.01)


def test_the_authors_optimizer_comes_back_from_a_file(tmp_path):
    networks = {"generator_network": {"name": "dense", "hidden_units": [3]}, "discriminator_network": "dense"}
    model = GAN((2,), None, latent_size=2, **networks)
    model.compile(run_eagerly=True)
    model.train_on_batch(np.ones((4, 2)))
    keras_gen.core.saving.save_model(model, tmp_path / "model.keras")
    loaded = keras_gen.load_model(tmp_path / "model.keras")
    for ours, theirs in zip(loaded.optimizers, model.optimizers, strict=True):
        assert ours.get_config() == theirs.get_config()
        assert float(ours.learning_rate) == pytest.approx(0.1 / 1.000004, rel=1e-6)
        for a, b in zip(ours.variables, theirs.variables, strict=True):
            np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("make", "objective", "regularizers", "steps", "optimizer", "rate"),
    [
        (GAN, {"name": "non_saturating", "discriminator_weight": 0.5}, (), 1, RisingMomentum, 0.1),
        (ConditionalGAN, {"name": "non_saturating", "discriminator_weight": 0.5}, (), 1, RisingMomentum, 0.1),
        (LSGAN, "least_squares", (), 1, keras.optimizers.Adam, 2e-4),
        (WGAN, "wasserstein", ("weight_clipping",), 5, keras.optimizers.RMSprop, 5e-5),
        (WGANGP, "wasserstein", ("gradient_penalty",), 5, keras.optimizers.Adam, 1e-4),
    ],
)
def test_each_paper_has_its_choices(make, objective, regularizers, steps, optimizer, rate):
    """A paper's model is the base with other defaults, each of which can be changed and comes back from the config."""
    model = make((9, 9, 1))
    assert (model.objective, model.regularizers, model.discriminator_steps) == (objective, regularizers, steps)
    model.compile()
    for found in (model.optimizer, model.discriminator_optimizer):
        assert type(found) is optimizer
        assert float(found.learning_rate) == pytest.approx(rate)
    batch_norm = any(
        isinstance(layer, keras.layers.BatchNormalization) for layer in model.discriminator._flatten_layers()
    )
    assert batch_norm == (make in (LSGAN, WGAN))
    other = make(
        (2,),
        None,
        objective="hinge",
        regularizers=("r1",),
        generator_network={"name": "dense", "hidden_units": [3]},
        discriminator_network={"name": "dense", "hidden_units": [4]},
        generator_average=0.9,
        seed=1,
    )
    assert other.terms[3] == "real_score"
    copy = make.from_config(other.get_config())
    assert copy.get_config() == other.get_config()
    assert [weight.shape for weight in copy.weights] == [weight.shape for weight in other.weights]


@pytest.mark.parametrize("family", [GAN, ConditionalGAN])
def test_default_optimizers_keep_images_from_diverging(family):
    """Gradient descent at the papers' rate, from the data's mean: with levels in [-1, 1] and a tanh it ends in NaN."""
    random = np.random.default_rng(0)
    x = np.zeros((50, 28, 28, 1))
    x[:, 8:20, 8:20] = random.integers(0, 256, (50, 12, 12, 1))
    condition = () if family is GAN else (random.integers(0, 10, 50),)
    model = family((28, 28, 1), generator_network={"name": "dense", "hidden_units": (100,)})
    model.adapt(x)
    model.compile()
    history = model.fit(x, *condition, batch_size=25, epochs=40, verbose=0).history
    assert np.max(history["loss"]) < 10.0
