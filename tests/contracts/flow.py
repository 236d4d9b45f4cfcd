"""Flows: inverses, and log-determinants."""

import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, condition_for, draw, randomise


class FlowContract(Contract):
    """Far from the initial weights, a flow is inverted, and automatic differentiation gives its log-determinants.

    A test class provides `make_model`, a model of real numbers, and `make_deep`.
    """

    #: Absolute error of an inverse, in standardised data.
    tolerance = 1e-4
    #: Distance of the weights from the initial ones.
    scale = 0.6

    def make_deep(self):
        """Returns a model of twenty to fifty layers, or of as many as the shape of small examples allows."""
        raise NotImplementedError

    @pytest.fixture(scope="class")
    @classmethod
    def flow(cls):
        """A model of data in other units than the noise, and examples."""
        model = randomise(cls().make_model(), scale=cls.scale, seed=1)
        random = np.random.default_rng(1)
        units = 10.0 ** random.integers(-2, 3, model.event_shape)
        # An offset of many units would leave float32 too few digits for what varies.
        rows = (random.standard_normal((200, *model.event_shape)) + 5.0 * random.standard_normal(units.shape)) * units
        model.adapt(rows, condition_for(model, 200))
        return model, draw(model, 20, seed=5)

    def test_the_inverse_inverts(self, flow):
        model, x = flow
        condition = condition_for(model, len(x))
        z = model.encode(x, condition)
        # TFP remembers what it computed: only a new tensor is really inverted.
        again = model.decode(tf.identity(z), condition)
        scale = model.scale.numpy()
        np.testing.assert_allclose(again / scale, x / scale, atol=self.tolerance)
        z = model.noise(20, seed=6)["z"]
        np.testing.assert_allclose(
            model.encode(tf.identity(model.decode(z, condition)), condition), z, atol=self.tolerance
        )

    def test_log_determinants_agree_with_automatic_differentiation(self, flow):
        model, x = flow
        condition, event_ndims = condition_for(model, len(x)), len(model.event_shape)
        bijector = model.flow(condition)
        forward = log_determinant(lambda x: model.encode(x, condition), x)
        np.testing.assert_allclose(bijector.forward_log_det_jacobian(tf.identity(x), event_ndims), forward, atol=2e-3)
        z = tf.identity(model.encode(x, condition))
        inverse = log_determinant(lambda z: model.decode(z, condition), z)
        np.testing.assert_allclose(inverse, -forward, atol=5e-3)
        np.testing.assert_allclose(bijector.inverse_log_det_jacobian(z, event_ndims), inverse, atol=5e-3)
        expected = model.base_distribution().log_prob(z) + forward
        np.testing.assert_allclose(model.log_prob(x, condition), expected, atol=5e-3)

    def test_a_deep_model_keeps_to_float32(self):
        model = self.make_deep()
        condition = condition_for(model, 20)
        z = model.noise(20, seed=1)["z"]
        x = tf.identity(model.decode(z, condition))
        with tf.GradientTape() as tape:
            flow = model.flow(condition)
            again = flow.forward(x)
            log_det = flow.forward_log_det_jacobian(x, len(model.event_shape))
            log_prob = model.base_distribution().log_prob(again) + log_det
        np.testing.assert_allclose(again, z, atol=1e-3)
        assert np.all(np.isfinite(log_prob))
        gradients = tape.gradient(log_prob, model.trainable_variables)
        for variable, gradient in zip(model.trainable_variables, gradients, strict=True):
            assert np.all(np.isfinite(gradient)), variable.path

    def test_the_density_stays_in_float32_under_mixed_precision(self):
        model = self.make_model(dtype="mixed_bfloat16")
        condition = condition_for(model, 5)
        x = draw(model, 5, seed=0)
        assert x.dtype == model.log_prob(x, condition).dtype == model.encode(x, condition).dtype == tf.float32
        # Nor does the flow round what it passes on: without networks to round, noise comes back to float32.
        z = model.noise(5, seed=1)["z"]
        back = model.encode(tf.identity(model.decode(z, condition)), condition)
        np.testing.assert_allclose(back, z, atol=1e-3)


def log_determinant(function, x) -> np.ndarray:
    """Returns log |det| of the Jacobian of a function at each of several points, in float64."""
    x = tf.identity(x)
    size = int(np.prod(x.shape[1:]))
    with tf.GradientTape(persistent=True) as tape:
        tape.watch(x)
        # Examples do not see each other, so that the gradient of a sum over them holds that of each.
        entries = tf.unstack(tf.reduce_sum(tf.reshape(function(x), (-1, size)), axis=0))
    rows = [tf.reshape(tape.gradient(entry, x, unconnected_gradients="zero"), (-1, size)) for entry in entries]
    jacobian = tf.stack(rows, axis=1)
    return np.linalg.slogdet(jacobian.numpy().astype(np.float64)).logabsdet
