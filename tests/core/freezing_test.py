"""What is frozen stays frozen in files, copies and JSON, with the optimizers' states."""

import copy
import pickle

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import assert_same_weights
from contracts.helpers import values

import keras_gen
from keras_gen.adversarial import GAN
from keras_gen.core import Model, freezing
from keras_gen.latent import VAE, AdversarialAutoencoder
from keras_gen.spaces import Reals

X = np.random.default_rng(0).integers(0, 2, (8, 3, 2, 1)).astype(np.float32)


def vae():
    model = VAE((3, 2, 1), latent_size=2, hidden_units=(4, 3))
    return model, [model.encoder]


def gan():
    network = {"name": "dense", "hidden_units": (4, 3)}
    discriminator = {"name": "maxout", "units": (4,), "pieces": (2,), "dropout": 0.0}
    model = GAN((3, 2, 1), 2, latent_size=2, generator_network=network, discriminator_network=discriminator)
    # A part of a part, for each of the two optimizers.
    return model, [model.generator._layers[0], model.discriminator._layers[-1]]


def adversarial_autoencoder():
    model = AdversarialAutoencoder((3, 2, 1), latent_size=2, levels=2, hidden_units=(4,), discriminator_units=(3,))
    return model, [model.encoder]


def compiled(model):
    number = len(model.optimizers) if model.compiled else {VAE: 1, GAN: 2}.get(type(model), 3)
    model.compile(*(keras.optimizers.Adam(0.01 * (index + 1)) for index in range(number)), run_eagerly=True)
    return model


def train(model, steps):
    return [model.train_on_batch(X, return_dict=True) for _ in range(steps)]


def assert_same(ours, theirs):
    assert freezing.flags_of(ours) == freezing.flags_of(theirs)
    assert [weight.trainable for weight in ours.weights] == [weight.trainable for weight in theirs.weights]
    assert_same_weights(ours.weights, theirs.weights)
    for first, second in zip(ours.optimizers, theirs.optimizers, strict=True):
        # An optimizer without weights never moves.
        assert int(first.iterations) == int(second.iterations)
        assert int(first.iterations) > 0 or len(first.variables) == 2
        assert_same_weights(first.variables, second.variables)


@pytest.mark.parametrize("make", [vae, gan, adversarial_autoencoder])
@pytest.mark.parametrize("compiled_first", [False, True])
def test_training_goes_on_from_a_file_as_if_it_had_not_been_interrupted(make, compiled_first, tmp_path):
    model, frozen = make()
    if compiled_first:
        # The optimizers were built for all weights, and keep what they know of the frozen ones.
        train(compiled(model), 1)
    for part in frozen:
        part.trainable = False
    if not compiled_first:
        compiled(model)
    start = [values(part.weights) for part in frozen]
    train(model, 2)
    keras_gen.save_model(model, tmp_path / "model.keras")
    loaded = keras_gen.load_model(tmp_path / "model.keras")
    assert_same(loaded, model)
    assert train(loaded, 2) == train(model, 2)
    assert_same(loaded, model)
    for part, before in zip(frozen, start, strict=True):
        assert before
        assert not part.trainable_weights
        for weight, value in zip(part.weights, before, strict=True):
            np.testing.assert_array_equal(weight, value)


def test_weights_thawed_since_the_optimizers_were_built(tmp_path):
    model, (encoder,) = vae()
    encoder.trainable = False
    train(compiled(model), 2)
    encoder.trainable = True
    model.save(tmp_path / "model.keras")
    loaded = keras_gen.load_model(tmp_path / "model.keras")
    assert_same(loaded, model)
    # Compiled anew, the optimizer takes them all.
    again = compiled(loaded)
    assert len(again.optimizer.variables) == 2 + 2 * len(model.trainable_weights)


class Nested(Model):
    """Layers in attributes, lists, dicts and a `keras.Sequential`; one of them frozen from the start, one shared."""

    def __init__(self, *, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        layers = [keras.layers.Dense(1) for _ in range(6)]
        for layer in layers:
            layer.build((None, 1))
        self.single, self.pair, self.named = layers[0], layers[1:3], {"a": layers[3]}
        self.sequential = keras.Sequential([keras.Input((1,)), layers[4], layers[0]])
        self.fixed = layers[5]
        self.fixed.trainable = False
        self.scale = self.add_weight((), "ones", name="scale")

    @property
    def spaces(self):
        return {"x": Reals((1,))}

    def loss_terms(self, batch, step):
        x = batch["x"]
        for layer in (self.single, *self.pair, self.named["a"], self.sequential, self.fixed):
            x = layer(x)
        return {"loss": self.scale * tf.reduce_mean(tf.square(x), axis=-1)}


def freeze_the_whole(model):
    model.trainable = False


def freeze_a_list(model):
    for layer in model.pair:
        layer.trainable = False


def freeze_all_but_the_last(model):
    model.sequential.trainable = False
    model.sequential.layers[-1].trainable = True


def freeze_single_weights(model):
    model.scale.trainable = False
    model.pair[1].bias.trainable = False


def thaw_what_starts_frozen(model):
    model.fixed.trainable = True


def freeze_a_dict_and_thaw_a_weight(model):
    model.named["a"].trainable = False
    model.named["a"].kernel.trainable = True


WAYS = {
    "file": lambda model, path: (model.save(path), keras_gen.load_model(path, custom_objects={"Nested": Nested}))[1],
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "clone": lambda model, _: keras.models.clone_model(model),
    "json": lambda model, _: keras.models.model_from_json(model.to_json(), custom_objects={"Nested": Nested}),
    "constructor": lambda model, _: Nested(**model.get_config()),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(
    ("change", "num_trainable"),
    [
        (lambda model: None, 11),
        (freeze_the_whole, 0),
        (freeze_a_list, 7),
        (freeze_all_but_the_last, 9),
        (freeze_single_weights, 9),
        (thaw_what_starts_frozen, 13),
        (freeze_a_dict_and_thaw_a_weight, 10),
    ],
)
def test_every_way_of_copying_keeps_every_flag(way, change, num_trainable, tmp_path):
    model = Nested()
    assert "frozen_parts" not in model.get_config()
    change(model)
    model.compile(keras.optimizers.SGD(0.1, momentum=0.5))
    copied = WAYS[way](model, tmp_path / "model.keras")
    assert type(copied) is Nested
    assert copied.get_config() == model.get_config()
    assert [layer.trainable for layer in copied._flatten_layers()] == [
        layer.trainable for layer in model._flatten_layers()
    ]
    assert [weight.trainable for weight in copied.weights] == [weight.trainable for weight in model.weights]
    if way != "constructor":
        assert len(copied.optimizer.variables) == len(model.optimizer.variables)
    assert len(copied.trainable_weights) == len(model.trainable_weights) == num_trainable


def test_a_part_that_the_model_does_not_have():
    with pytest.raises(ValueError, match=r"^`frozen_parts` names 'decoder', which Nested does not have\.$"):
        Nested(frozen_parts={"single": False, "decoder": False})


@pytest.mark.parametrize("call", [lambda model: model.fit(X, verbose=0), lambda model: model.train_on_batch(X)])
def test_parts_that_become_trainable_need_compile_again(call):
    model, (encoder,) = vae()
    encoder.trainable = False
    before = values(compiled(model).encoder.weights)
    encoder.trainable = True
    with pytest.raises(ValueError, match=r"`compile` must be called again where .* does not know \S*kernel\.$"):
        call(model)
    call(compiled(model))
    assert any(np.any(old != new) for old, new in zip(before, values(encoder.weights), strict=True))


def test_an_optimizer_is_needed():
    with pytest.raises(ValueError, match="`optimizer` must be an optimizer or the name of one, received None"):
        vae()[0].compile(None)
