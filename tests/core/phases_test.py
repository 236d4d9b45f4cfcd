"""Training in phases: each has an optimizer and layers of its own."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from keras_gen import seeds
from keras_gen.core import Model, Phases, Step, weighted_values
from keras_gen.spaces import Reals


def dense(seed, *, normalized=False):
    layers = [keras.layers.Dense(2, kernel_initializer=keras.initializers.GlorotUniform(seed))]
    layers += [keras.layers.BatchNormalization(momentum=0.5)] if normalized else []
    return keras.Sequential([keras.Input((2,)), *layers])


class TwoPhases(Phases, Model):
    """A code that comes near the examples, and a second network that comes near the code; both see a shared layer."""

    terms = ("code_loss", "follower_loss")

    def __init__(self, *, seed=0, **kwargs):
        super().__init__(seed=seed, **kwargs)
        self.coder = dense(1, normalized=True)
        self.shared = dense(2)
        self.follower = dense(3, normalized=True)
        self.counter = self.add_weight((), "zeros", trainable=False, name="counter")

    @property
    def spaces(self):
        return {"x": Reals((2,))}

    def phase_layers(self):
        return {"code": [self.coder, self.shared], "follower": [self.follower, self.shared]}

    def compile(self, code_optimizer="sgd", follower_optimizer="sgd", *, jit_compile=False, **kwargs):
        self.compile_phases({"code": code_optimizer, "follower": follower_optimizer}, jit_compile=jit_compile, **kwargs)

    def code_terms(self, x, step):
        code = self.shared(self.coder(x, training=step.training))
        # Goes through the other phase's layers, too, whose statistics are theirs alone.
        distance = self.follower(code, training=step.training)
        return {"code_loss": tf.reduce_sum(tf.square(code - x), axis=-1) + 0.0 * tf.reduce_sum(distance, axis=-1)}

    def follower_terms(self, x, step):
        code = tf.stop_gradient(self.shared(self.coder(x, training=False)))
        found = self.shared(self.follower(x, training=step.training))
        step.update(self.counter, self.counter + 1.0)
        return {"follower_loss": tf.reduce_sum(tf.square(found - code), axis=-1)}

    def loss_terms(self, batch, step):
        return {**self.code_terms(batch["x"], step), **self.follower_terms(batch["x"], step)}

    def take_step(self, batch, step):
        first, second = step.split(2)
        return {
            **self.take_phase("code", lambda: self.code_terms(batch["x"], first), first),
            **self.take_phase("follower", lambda: self.follower_terms(batch["x"], second), second),
        }


X = np.random.default_rng(0).standard_normal((8, 2)).astype(np.float32)


def make(rates=(0.1, 0.2), **arguments):
    model = TwoPhases()
    model.compile(*(keras.optimizers.SGD(rate) for rate in rates), **{"run_eagerly": True, **arguments})
    return model


def weights_of(model):
    return {name: getattr(model, name).get_weights() for name in ("coder", "shared", "follower")}


def moved(before, after):
    return [bool(np.any(ours != theirs)) for ours, theirs in zip(after, before, strict=True)]


@pytest.mark.parametrize(("phase", "own", "other"), [("code", "coder", "follower"), ("follower", "follower", "coder")])
def test_a_phase_leaves_the_layers_of_the_other_ones(phase, own, other):
    model = make()
    before = weights_of(model)
    step = Step(seeds.as_pair(0), training=True)
    model.take_phase(phase, lambda: getattr(model, f"{phase}_terms")(tf.constant(X), step), step)
    after = weights_of(model)
    # The bias before batch normalization has no effect on what follows.
    assert sum(moved(before[own], after[own])) >= len(after[own]) - 1
    assert any(moved(before["shared"], after["shared"]))
    for ours, theirs in zip(after[other], before[other], strict=True):
        np.testing.assert_array_equal(ours, theirs)
    assert int(model.phase_optimizer(phase).iterations) == 1
    assert sum(int(optimizer.iterations) for optimizer in model.optimizers) == 1


def test_each_phase_descends_its_own_loss_at_its_own_rate():
    model, other = make(), make()
    x = tf.constant(X)
    step = Step(seeds.as_pair(0), training=True)
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(step.record(lambda: other.follower_terms(x, step), [])["follower_loss"])
    gradients = tape.gradient(loss, other.phase_variables()["follower"])
    expected = [
        variable - 0.2 * gradient
        for variable, gradient in zip(other.phase_variables()["follower"], gradients, strict=True)
    ]
    model.take_phase("follower", lambda: model.follower_terms(x, step), step)
    for variable, value in zip(model.phase_variables()["follower"], expected, strict=True):
        np.testing.assert_allclose(variable, value, rtol=1e-5)


def test_the_step_of_a_phase_applies_its_updates():
    model = make()
    model.train_on_batch(X)
    assert float(model.counter) == 1.0
    model.evaluate(X, verbose=0)
    assert float(model.counter) == 1.0


def test_both_losses_fall_in_graphs():
    model = make(run_eagerly=False)
    history = model.fit(X, epochs=15, batch_size=4, verbose=0).history
    for name in ("code_loss", "follower_loss"):
        assert history[name][-1] < history[name][0]


def test_phases_need_optimizers_of_their_own():
    optimizer = keras.optimizers.SGD(0.1)
    with pytest.raises(
        ValueError, match=r"^`follower_optimizer` must be an optimizer of its own, received the one of the code\.$"
    ):
        TwoPhases().compile(optimizer, optimizer)
    # The same name is no problem: each phase makes one of its own.
    model = TwoPhases()
    model.compile("adam", "adam")
    assert model.optimizers[0] is not model.optimizers[1]
    assert model.optimizers[0] is model.optimizer
    assert model.optimizers[1] is model.follower_optimizer


def test_a_loss_of_keras_is_refused():
    with pytest.raises(
        ValueError, match=r"^`loss` must be None: TwoPhases has a loss and figures of its own; received"
    ):
        TwoPhases().compile("adam", "adam", loss="mse")


def test_examples_have_no_weights():
    with pytest.raises(ValueError, match=r"^`sample_weight` must be None: the loss of TwoPhases is not a mean over"):
        make().fit(X, sample_weight=np.ones(8), verbose=0)


def test_all_optimizers_are_built_before_the_first_step_and_come_back_from_a_file(tmp_path):
    model = TwoPhases()
    model.compile(keras.optimizers.Adam(0.01), keras.optimizers.RMSprop(0.02), run_eagerly=True)
    assert all(len(optimizer.variables) > 2 for optimizer in model.optimizers)
    model.train_on_batch(X)
    model.save(tmp_path / "model.keras")
    loaded = keras.saving.load_model(tmp_path / "model.keras", custom_objects={"TwoPhases": TwoPhases})
    assert [type(optimizer) for optimizer in loaded.optimizers] == [keras.optimizers.Adam, keras.optimizers.RMSprop]
    for each in (model, loaded):
        each.train_on_batch(X)
    for ours, theirs in zip(loaded.get_weights(), model.get_weights(), strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-6)
    for ours, theirs in zip(loaded.optimizers, model.optimizers, strict=True):
        assert int(ours.iterations) == int(theirs.iterations) == 2


def test_loss_scaling_reaches_every_phase():
    model = TwoPhases(dtype="mixed_float16")
    model.compile("sgd", "sgd", run_eagerly=True)
    assert all(isinstance(optimizer, keras.optimizers.LossScaleOptimizer) for optimizer in model.optimizers)


def test_terms_with_weights_are_values_with_the_same_mean():
    step = Step(seeds.as_pair(0), training=True)
    values, weights = tf.constant([1.0, 2.0, 6.0]), tf.constant([1.0, 0.0, 3.0])
    assert weighted_values(values, step) is values
    found = weighted_values((values, weights), step)
    np.testing.assert_allclose(np.mean(found), np.average(values, weights=weights))
    np.testing.assert_array_equal(weighted_values((values, tf.zeros(3)), step), np.zeros(3))
