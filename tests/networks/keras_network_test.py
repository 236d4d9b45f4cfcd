"""Networks of one's own, in every family that takes them: what they compute, what they leave behind, and mistakes.

`tests/latent/iwae_test.py` and `tests/adversarial/lsgan_test.py` have the contracts: files, pickles, JSON, exports,
replicas, frozen parts and mixed precision.
"""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import assert_same_weights, batch_for, log_determinant, randomise, values
from contracts.replicas import two_replicas
from keras import layers

import keras_gen
from keras_gen import adversarial, autoregressive, energy, flows, latent, seeds, translation
from keras_gen.core import Step
from keras_gen.networks import KerasNetwork


@pytest.fixture(autouse=True)
def functions_run_eagerly():
    # Layers without a seed have the same weights in every run.
    keras.utils.set_random_seed(2)
    tf.config.run_functions_eagerly(True)
    yield
    tf.config.run_functions_eagerly(False)


def dense(*units, shape=None, activation="tanh"):
    """Returns dense layers, and a shape that is given to their output."""
    hidden = [layers.Dense(width, activation) for width in units[:-1]]
    return keras.Sequential([layers.Flatten(), *hidden, layers.Dense(units[-1]), layers.Reshape(shape or units[-1:])])


def joined(*units, shapes, shape=None):
    """Returns a functional model of several inputs."""
    inputs = [keras.Input(each) for each in shapes]
    vectors = layers.Concatenate()([layers.Flatten()(each) for each in inputs])
    return keras.Model(inputs, dense(*units, shape=shape)(vectors))


@keras.saving.register_keras_serializable("tests")
class Painted(layers.Layer):
    """A convolution of images of any size, and a colour for all of their pixels that is a function of a vector."""

    def __init__(self, filters, **kwargs):
        super().__init__(**kwargs)
        self.filters = filters
        self.convolution, self.colour = layers.Conv2D(filters, 3, padding="same"), layers.Dense(filters)

    def build(self, input_shape):
        images, vectors = input_shape
        self.convolution.build(images)
        self.colour.build(vectors)

    def call(self, inputs):
        images, vectors = inputs
        return keras.ops.tanh(self.convolution(images) + self.colour(vectors)[:, None, None])

    def get_config(self):
        return {**super().get_config(), "filters": self.filters}


# The networks in their places

SHAPE = (4, 4, 1)
MAKERS = {
    "VAE": lambda: latent.VAE(
        SHAPE, 3, encoder_network=dense(5, 6), decoder_network=dense(5, 16, shape=SHAPE), dtype="mixed_bfloat16"
    ),
    "VAE of levels": lambda: latent.VAE(SHAPE, 3, 9, decoder_network=dense(5, 32, shape=(4, 4, 2))),
    "ConditionalVAE": lambda: latent.ConditionalVAE(
        SHAPE,
        3,
        num_classes=2,
        encoder_network=joined(5, 6, shapes=[SHAPE, (2,)]),
        decoder_network=joined(5, 16, shapes=[(3,), (2,)], shape=SHAPE),
    ),
    "HierarchicalVAE": lambda: latent.HierarchicalVAE(
        SHAPE,
        (2, 1),
        units=(5, 4),
        encoder_network=dense(5, 5),
        decoder_network=dense(5, 16, shape=SHAPE),
    ),
    "DenoisingAutoencoder": lambda: latent.DenoisingAutoencoder(
        SHAPE, 3, 9, encoder_network=dense(5, 3), decoder_network=dense(5, 16, shape=SHAPE)
    ),
    "AdversarialAutoencoder": lambda: latent.AdversarialAutoencoder(
        SHAPE,
        2,
        9,
        prior="ring",
        num_classes=10,
        encoder_network=dense(5, 2),
        decoder_network=dense(5, 16, shape=SHAPE),
        discriminator_network=joined(5, 1, shapes=[(2,), (11,)]),
    ),
    "ClusteringAAE": lambda: latent.ClusteringAAE(
        SHAPE, 2, 2, 9, discriminator_units=(5,), encoder_network=dense(5, 4), decoder_network=dense(16, shape=SHAPE)
    ),
    "VQVAE": lambda: latent.VQVAE(
        SHAPE,
        3,
        code_size=2,
        encoder_network=layers.Conv2D(2, 3, 3, padding="same"),
        decoder_network=dense(5, 16, shape=SHAPE),
    ),
    "DCGAN": lambda: adversarial.DCGAN(
        SHAPE,
        9,
        latent_size=3,
        num_classes=2,
        generator_average=0.5,
        generator_network=joined(5, 16, shapes=[(3,), (2,)], shape=SHAPE),
        discriminator_network=joined(5, 1, shapes=[SHAPE, (2,)]),
    ),
    "WGANGP": lambda: adversarial.WGANGP(
        (2,), None, latent_size=3, generator_network=dense(5, 2), discriminator_network=dense(5, 1)
    ),
    "TextToImageGAN": lambda: adversarial.TextToImageGAN(
        SHAPE,
        9,
        words=("a", "b"),
        code_size=4,
        text_features=2,
        latent_size=3,
        generator_network=joined(5, 16, shapes=[(3,), (4,)], shape=SHAPE),
        discriminator_network=joined(5, 1, shapes=[SHAPE, (4,)]),
    ),
    "WaveGAN": lambda: adversarial.WaveGAN(
        (6,), latent_size=3, generator_network=dense(5, 6), discriminator_network=dense(5, 1)
    ),
    "JointEBM": lambda: energy.JointEBM(
        SHAPE, 3, 9, num_steps=1, objective="denoising_score_matching", network=dense(5, 3)
    ),
    "Pix2Pix": lambda: translation.Pix2Pix(
        SHAPE,
        (4, 4, 2),
        9,
        generator_network=keras.Sequential([layers.Conv2D(3, 3, padding="same"), layers.Conv2D(2, 1)]),
        discriminator_network=layers.Conv2D(1, 3),
    ),
    "CycleGAN": lambda: translation.CycleGAN(
        (8, 8, 1),
        (8, 8, 1),
        9,
        pool_size=0,
        generator_network=layers.Conv2D(1, 3, padding="same"),
        discriminator_network=dense(5, 1),
    ),
    "StarGAN": lambda: translation.StarGAN(
        (8, 8, 1), 2, levels=9, filters=2, discriminator_steps=1, generator_network=layers.Conv2D(1, 3, padding="same")
    ),
    "PuzzleGAN": lambda: translation.PuzzleGAN(
        (8, 8, 1), 9, filters=(2,), code_size=3, latent_size=2, discriminator_network=dense(5, 1)
    ),
    "Jigsaw": lambda: translation.Jigsaw(SHAPE, 9, grid=(2, 2), hidden_units=3, encoder_network=dense(4, 3)),
    "RealNVP": lambda: flows.RealNVP((5,), 2, conditioner_network=dense(4, 3, activation="relu")),
    "NICE": lambda: flows.NICE((5,), 2, conditioner_network=layers.Dense(4, "tanh"), num_classes=2),
    "NeuralSplineFlow": lambda: flows.NeuralSplineFlow(
        (5,), 2, num_bins=3, num_classes=2, conditioner_network=dense(4, 3)
    ),
    "ContinuousFlow": lambda: flows.ContinuousFlow(
        (3,), num_steps=2, num_classes=2, trace="hutchinson", dynamics_network=joined(4, 3, shapes=[(4,), (2,)])
    ),
    "Glow": lambda: flows.Glow(SHAPE, 9, num_steps=1, conditioner_network=layers.Conv2D(3, 3, padding="same")),
    "MultiScaleRealNVP": lambda: flows.MultiScaleRealNVP(
        SHAPE, 9, num_classes=2, batch_normalization=True, conditioner_network=Painted(3)
    ),
}


@pytest.mark.parametrize("name", MAKERS)
def test_networks_of_ones_own_train_and_come_back_from_a_file(name, tmp_path):
    model = MAKERS[name]()
    own = [part for part in model._flatten_layers() if isinstance(part, KerasNetwork)]
    assert own
    # Away from points where a gradient vanishes.
    randomise(model)
    model.compile(run_eagerly=True)
    batch = batch_for(model, {column: space.examples(6, (0, 3)) for column, space in model.spaces.items()})
    before = [values(network.trainable_weights) for network in own]
    for _ in range(2):
        logs = model.train_on_batch(batch, return_dict=True)
    assert np.all(np.isfinite(list(logs.values())))
    for network, start in zip(own, before, strict=True):
        for weight, value in zip(network.trainable_weights, start, strict=True):
            # The last bias of a critic whose score is a difference has no gradient, and averages are no weights.
            free = name in ("WGANGP", "WaveGAN") and weight.shape == (1,)
            assert free or np.any(weight.numpy() != value), weight.path

    keras_gen.save_model(model, tmp_path / "model.keras")
    copy = keras_gen.load_model(tmp_path / "model.keras")
    assert copy.get_config() == model.get_config()
    verbs = {verb: signature for verb, signature in model.signatures().items() if signature.deterministic}
    for verb, signature in verbs.items():
        inputs = {key: model.example_input(key, spec, 3, 5) for key, spec in signature.inputs.items()}
        found, expected = (each.signatures()[verb].function(**inputs) for each in (copy, model))
        for output, value in expected.items():
            np.testing.assert_array_equal(found[output], value, err_msg=f"{verb} {output}")


def test_a_vae_of_the_same_networks_is_the_same_vae():
    """Its loss, its gradients, its bound and its draws are those of the named networks."""
    named = randomise(latent.VAE((2, 3), 2, hidden_units=(5,), activation="tanh", seed=3))
    encoder = keras.Sequential([layers.Flatten(), layers.Dense(5, "tanh"), layers.Dense(4)])
    decoder = keras.Sequential([layers.Dense(5, "tanh"), layers.Dense(6), layers.Reshape((2, 3))])
    own = latent.VAE((2, 3), 2, encoder_network=encoder, decoder_network=decoder, seed=3)
    # The layers themselves, whatever weights they have.
    encoder.set_weights(named.encoder.get_weights())
    decoder.set_weights(named.decoder.get_weights())
    assert own.encoder.layer is encoder
    x = np.random.default_rng(0).integers(0, 2, (8, 2, 3))
    for each in (named, own):
        each.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
    np.testing.assert_array_equal(own.log_prob_bound(x, seed=1), named.log_prob_bound(x, seed=1))
    np.testing.assert_array_equal(own.sample(8, seed=2), named.sample(8, seed=2))
    assert own.train_on_batch(x) == named.train_on_batch(x)
    assert_same_weights(own.encoder.weights, named.encoder.weights, atol=1e-6)
    assert_same_weights(own.decoder.weights, named.decoder.weights, atol=1e-6)
    assert own.evaluate(x, verbose=0) == pytest.approx(named.evaluate(x, verbose=0), rel=1e-5)


@pytest.mark.parametrize("make", [flows.Glow, flows.MultiScaleRealNVP])
def test_a_flow_with_networks_of_ones_own_is_a_flow(make):
    model = randomise(make((4, 2, 1), None, num_scales=1, num_classes=2, conditioner_network=Painted(3)))
    x, condition = model.sample(4, condition=[0, 1, 0, 1], seed=1), [0, 1, 0, 1]
    z = model.encode(x, condition)
    np.testing.assert_allclose(model.decode(tf.identity(z), condition), x, atol=1e-4)
    expected = model.base_distribution().log_prob(z) + log_determinant(lambda x: model.encode(x, condition), x)
    np.testing.assert_allclose(model.log_prob(x, condition), expected, atol=1e-3)
    # The condition and the features reach every coupling.
    assert np.all(np.abs(model.encode(x, [1, 0, 1, 0]) - z).max(axis=(1, 2, 3)) > 1e-3)


FLOWS = {
    "ContinuousFlow": lambda: flows.ContinuousFlow(
        (3,), num_steps=6, num_classes=2, dynamics_network=joined(5, 3, shapes=[(4,), (2,)])
    ),
    "NeuralSplineFlow": lambda: flows.NeuralSplineFlow((3,), 2, num_classes=2, conditioner_network=dense(5, 4)),
}


@pytest.mark.parametrize("name", FLOWS)
def test_densities_of_vectors_count_the_jacobian_of_networks_of_ones_own(name):
    model, condition = randomise(FLOWS[name]()), [0, 1, 0, 1]
    x = model.sample(4, condition=condition, seed=1)
    z = model.encode(x, condition)
    np.testing.assert_allclose(model.decode(tf.identity(z), condition), x, atol=1e-4)
    determinants = log_determinant(lambda x: model.encode(x, condition), x)
    assert np.abs(determinants).min() > 1e-2
    expected = model.base_distribution().log_prob(z) + determinants
    np.testing.assert_allclose(model.log_prob(x, condition), expected, atol=1e-3)
    assert np.all(np.abs(model.encode(x, [1, 0, 1, 0]) - z).max(axis=1) > 1e-3)


def test_pieces_in_another_order_get_the_same_rows_from_an_encoder_of_ones_own():
    model = randomise(translation.Jigsaw(SHAPE, 9, grid=(2, 2), hidden_units=3, encoder_network=dense(4, 3)))
    pieces = model.pieces_space.examples(2, (0, 0))
    order = [2, 0, 3, 1]
    logits = model.logits(pieces).numpy()
    np.testing.assert_allclose(model.logits(np.asarray(pieces)[:, order]), logits[:, order], rtol=1e-5, atol=1e-6)
    assert np.ptp(logits, axis=1).min() > 1e-3


def test_weights_of_a_trained_network_are_taken_over_and_stay_frozen(tmp_path):
    encoder = keras.Sequential([keras.Input((4,)), layers.Dense(3, name="first"), layers.Dense(4)])
    encoder.layers[0].trainable = False
    before = values(encoder.weights)
    model = latent.VAE((4,), 2, encoder_network=encoder)
    clone = keras.models.clone_model(model)
    keras_gen.save_model(model, tmp_path / "model.keras")
    for each in (model, keras_gen.load_model(tmp_path / "model.keras")):
        each.compile(keras.optimizers.SGD(0.1), run_eagerly=True)
        first, last = each.encoder.layer.layers
        np.testing.assert_array_equal(first.kernel, before[0])
        each.train_on_batch(np.eye(4, dtype=np.float32))
        np.testing.assert_array_equal(first.kernel, before[0])
        assert np.all(last.kernel.numpy() != before[2])
    assert np.all(clone.encoder.layer.layers[1].kernel.numpy() != before[2])
    classifier = latent.Autoencoder((4,), 4, encoder_network=encoder).classifier(2)
    np.testing.assert_array_equal(classifier.layers[-3].layers[0].kernel, before[0])


class Pair(layers.Layer):
    """A layer that hides another one, which its arguments do not tell to be frozen."""

    def __init__(self, **kwargs):
        super().__init__(**kwargs)
        self.first = layers.Dense(4)

    def build(self, input_shape):
        self.first.build(input_shape)

    def call(self, x):
        return self.first(x)


def test_what_is_frozen_inside_of_a_class_stays_frozen():
    encoder = Pair()
    encoder.first.trainable = False
    model = latent.VAE((4,), 2, encoder_network=encoder)
    with keras.saving.custom_object_scope({"Pair": Pair}):
        copy = latent.VAE.from_config(model.get_config())
    assert not copy.encoder.layer.first.trainable
    assert copy.encoder.layer.trainable
    assert copy.get_config() == model.get_config()
    assert "frozen_parts" not in latent.VAE((4,), 2, encoder_network=Pair()).get_config()


# Steps


def test_batch_normalization_moves_once_in_each_pass():
    """The moving mean is 0.9 of the old one and a tenth of the batch's, after data and after generated examples."""
    norm = layers.BatchNormalization(momentum=0.9)
    discriminator = keras.Sequential([keras.Input((2,)), norm, layers.Dense(1)])
    generator = keras.Sequential([layers.Dense(2, use_bias=False)])
    model = adversarial.GAN((2,), None, generator_network=generator, discriminator_network=discriminator)
    model.compile(run_eagerly=True)
    x = np.random.default_rng(0).normal(3.0, 1.0, (6, 2)).astype(np.float32)
    step = Step(seeds.as_pair(7), training=True)
    own, _ = step.split(2)
    fakes = model.fakes({"x": tf.constant(x)}, own)["x"].numpy()
    model.take_step({"x": tf.constant(x)}, step)
    expected = 0.9 * 0.1 * x.mean(axis=0) + 0.1 * fakes.mean(axis=0)
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)
    model.evaluate(x, verbose=0)
    model.discriminate(x)
    np.testing.assert_allclose(norm.moving_mean, expected, rtol=1e-5)


def test_dropout_follows_the_seed_of_the_step():
    network = KerasNetwork("encoder_network", keras.Sequential([layers.Dropout(0.5, seed=1)]), [(50,)], [(50,)])
    other = KerasNetwork("decoder_network", keras.Sequential([layers.Dropout(0.5, seed=1)]), [(50,)], [(50,)])
    (state,) = [generator.state for part in network._flatten_layers() for generator in part._seed_generators]
    before, x = state.numpy(), tf.ones((4, 50))

    def dropped(network, seed):
        return network(x, step=Step(seeds.as_pair(seed), training=True)).numpy()

    first = dropped(network, 1)
    assert set(np.unique(first)) == {0.0, 2.0}
    np.testing.assert_array_equal(first, dropped(network, 1))
    for another in (dropped(network, 2), dropped(other, 1)):
        assert 0.3 < np.mean(first != another) < 0.7
    np.testing.assert_array_equal(state, before)
    np.testing.assert_array_equal(network(x), x)
    np.testing.assert_array_equal(network(x, step=Step(seeds.as_pair(1), training=False)), x)

    strategy = two_replicas()
    with strategy.scope():
        copy = KerasNetwork("encoder_network", keras.Sequential([layers.Dropout(0.5, seed=1)]), [(50,)], [(50,)])
    rows = strategy.experimental_local_results(
        strategy.run(lambda: copy(x, step=Step(seeds.as_pair(1), training=True)))
    )
    assert 0.3 < np.mean(rows[0] != rows[1]) < 0.7


def test_the_dropout_of_a_generator_is_the_noise_of_a_translation():
    generator = keras.Sequential([layers.Dropout(0.5), layers.Conv2D(1, 1, kernel_initializer="ones")])
    model = translation.Pix2Pix((8, 8, 1), (8, 8, 1), None, filters=2, generator_network=generator)
    source = np.ones((1, 8, 8, 1), np.float32)
    drawn = model.sample_translations(source, 2, seed=0).numpy()
    assert set(np.unique(drawn)) == {0.0, 2.0}
    assert 0.2 < np.mean(drawn[0, 0] != drawn[0, 1]) < 0.8
    np.testing.assert_array_equal(model.translate(source), source)


class Counting(layers.Layer):
    """A layer of a user's that is not registered, and counts its batches."""

    def __init__(self, trainable_count=False, **kwargs):
        super().__init__(**kwargs)
        self.trainable_count = trainable_count
        self.count = self.add_weight(shape=(), initializer="zeros", trainable=trainable_count)

    def call(self, x):
        self.count.assign(self.count + 1.0)
        return x

    def get_config(self):
        return {**super().get_config(), "trainable_count": self.trainable_count}


def test_what_a_layer_of_a_users_leaves_behind_is_handed_to_the_step(tmp_path):
    counting = Counting()
    model = latent.VAE((4,), 2, encoder_network=keras.Sequential([counting, layers.Dense(4)]))
    model.compile(run_eagerly=True)
    for _ in range(3):
        model.train_on_batch(np.eye(4, dtype=np.float32))
    assert counting.count.numpy() == 3.0
    keras_gen.save_model(model, tmp_path / "model.keras")
    with pytest.raises(ValueError, match="Counting, which is neither of Keras nor of keras_gen; give it in `custom_ob"):
        keras_gen.load_model(tmp_path / "model.keras")
    copy = keras_gen.load_model(tmp_path / "model.keras", custom_objects={"Counting": Counting})
    assert copy.encoder.layer.layers[0].count.numpy() == 3.0
    with (
        two_replicas().scope(),
        pytest.raises(ValueError, match="must be made inside of the strategy's scope; received"),
    ):
        latent.VAE((4,), 2, encoder_network=counting)
    network = KerasNetwork("encoder_network", Counting(trainable_count=True), [(4,)], [(4,)])
    with pytest.raises(ValueError, match="must have no layer that changes a weight in a forward pass, as 'counting"):
        network(tf.ones((1, 4)), step=Step(seeds.as_pair(0), training=True))
    strategy = two_replicas()
    with strategy.scope():
        network = KerasNetwork("encoder_network", Counting(), [(4,)], [(4,)])
    with pytest.raises(ValueError, match="that changes a weight in a forward pass on several replicas, as 'counting"):
        strategy.run(lambda: network(tf.ones((1, 4)), step=Step(seeds.as_pair(0), training=True)))


# Mistakes


class Unsaved(layers.Layer):
    """A layer whose arguments are not known."""

    def __init__(self, function):
        super().__init__()
        self.function = function

    def call(self, x):
        return self.function(x)


SIGMOID = keras.Sequential([layers.Dense(4), layers.Activation("sigmoid")])


@pytest.mark.parametrize(
    ("make", "error", "sentence"),
    [
        (
            lambda: latent.VAE((4,), 2, encoder_network=layers.Dense(3, name="a")),
            ValueError,
            r"`encoder_network` must map shape \(batch, 4\) to \(batch, 4\); received Dense 'a', which giv",
        ),
        (
            lambda: latent.VAE(
                (4,), 2, decoder_network=keras.Sequential([keras.Input((3,)), layers.Dense(4)], name="b")
            ),
            ValueError,
            r"`decoder_network` must map shape \(batch, 2\) to \(batch, 4, 1\) or \(batch, 4\); received Sequential "
            r"'b', which fails: Input .*",
        ),
        (
            lambda: latent.VAE((4,), 2, encoder_network="dense"),
            TypeError,
            "`encoder_network` must be a layer or a model of Keras, received 'dense'",
        ),
        (
            lambda: latent.VAE((4,), 2, encoder_network={"name": "dense"}),
            TypeError,
            "`encoder_network` must be a layer or a model of Keras, received {'name': 'dense'}",
        ),
        (
            lambda: latent.VAE((4,), 2, encoder_network=Unsaved(object())),
            ValueError,
            "`encoder_network` must have a method `get_config` that returns the arguments of its constructor",
        ),
        (
            lambda: latent.VAE((4,), 2, decoder_network=SIGMOID),
            ValueError,
            "`decoder_network` must have no sigmoid at its end, since the model bounds its outputs itself; rec",
        ),
        (
            lambda: adversarial.GAN((4,), 9, generator_network=layers.Dense(4, "tanh")),
            ValueError,
            "`generator_network` must have no tanh at its end",
        ),
        (
            lambda: adversarial.GAN((4,), None, discriminator_network=layers.Dense(1, "sigmoid")),
            ValueError,
            "`discriminator_network` must have no sigmoid at its end",
        ),
        (
            lambda: adversarial.GAN((4,), discriminator_network=layers.SpectralNormalization(layers.Dense(1))),
            ValueError,
            "`discriminator_network` must have no `SpectralNormalization` of Keras",
        ),
        (
            lambda: latent.VAE((4,), 2, encoder_network=layers.Dense(4, activity_regularizer="l2")),
            ValueError,
            "`encoder_network` must have no `activity_regularizer`",
        ),
        (
            lambda: adversarial.InfoGAN(SHAPE, discriminator_network=dense(1)),
            ValueError,
            "`discriminator_network` must be a named one, whose features the code is read off; received Sequential",
        ),
        (
            lambda: adversarial.ProgressiveGAN((4, 4, 1), base_filters=4, generator_network=dense(16)),
            ValueError,
            "`generator_network` must not be given: ProgressiveGAN has networks of its own",
        ),
        (
            lambda: autoregressive.MADE((4,), network=layers.Dense(3)),
            ValueError,
            "`network` must not be given: MADE takes no network of one's own; received <Dense",
        ),
        (
            lambda: flows.MAF((4,), conditioner_network=layers.Dense(3)),
            ValueError,
            "`conditioner_network` must not be given: MAF takes no network of one's own; received <Dense",
        ),
        (
            lambda: translation.PuzzleGAN((8, 8, 1), generator_network=layers.Dense(3)),
            ValueError,
            "`generator_network` must not be given: PuzzleGAN takes networks of one's own as discriminator_network; re",
        ),
        (
            lambda: translation.Jigsaw((8, 8, 1), grid=(2, 2), encoder_network=layers.Dense(3)),
            ValueError,
            r"`encoder_network` must map shape \(batch, 4, 4, 1\) to \(batch, any\); received Dense",
        ),
        (
            lambda: latent.ClusteringAAE((4,), discriminator_network=dense(1)),
            ValueError,
            "`discriminator_network` must be None: ClusteringAAE has 2 discriminators; received <Sequential",
        ),
        (
            lambda: energy.DeepEBM((4,), network=keras.Sequential([layers.Dropout(0.5), layers.Dense(1)])),
            ValueError,
            "`network` must have no layer that is another in training, as dropout",
        ),
        (
            lambda: latent.VAE((4,), 2, encoder_network=dense(4)).features(np.zeros((1, 4))),
            ValueError,
            "`encoder_network` must be None for features",
        ),
    ],
)
def test_mistakes_get_one_sentence_before_anything_is_traced(make, error, sentence):
    with pytest.raises(error, match=f"^{sentence}"):
        make()


def test_code_inside_a_network_is_refused_in_a_file(tmp_path):
    own = keras.Sequential([layers.Lambda(lambda x: 2.0 * x, output_shape=(4,)), layers.Dense(4)])
    model = latent.VAE((4,), 2, encoder_network=own)
    keras_gen.save_model(model, tmp_path / "model.keras")
    with pytest.raises(ValueError, match="holds a Lambda, which is code"):
        keras_gen.load_model(tmp_path / "model.keras")
    copy = keras.saving.load_model(tmp_path / "model.keras", safe_mode=False)
    x = np.eye(4, dtype=np.float32)
    np.testing.assert_array_equal(copy.encode(x), model.encode(x))
