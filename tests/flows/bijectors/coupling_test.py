"""Test of couplings against TFP's."""

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.flows.bijectors import Coupling

tfb = tfp.bijectors


def normal(seed, *shape):
    return tf.constant(np.random.default_rng(seed).standard_normal(shape), tf.float32)


@pytest.mark.parametrize("keeps_first", [True, False])
def test_a_coupling_is_that_of_tfp_and_calls_its_network_once(keeps_first):
    kernel, calls = normal(0, 5, 5), []
    num_kept = 2 if keeps_first else 3

    def affine(kept):
        calls.append(kept)
        parameters = tf.tanh(tf.matmul(kept, kernel[:num_kept]))
        return tfb.Chain([tfb.Shift(parameters[:, : 5 - num_kept]), tfb.Scale(log_scale=parameters[:, num_kept - 5 :])])

    theirs = tfb.RealNVP(2 if keeps_first else -3, bijector_fn=lambda kept, _: affine(kept))
    x = normal(1, 20, 5)
    for name in ("forward", "inverse"):
        ours = Coupling(2, keeps_first, affine)
        calls.clear()
        y, log_determinant = getattr(ours, name)(x), getattr(ours, f"{name}_log_det_jacobian")(x, 1)
        assert len(calls) == 1
        np.testing.assert_allclose(y, getattr(theirs, name)(x), rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(log_determinant, getattr(theirs, f"{name}_log_det_jacobian")(x, 1), rtol=1e-5)
        # Other values are not those that it remembers.
        np.testing.assert_allclose(getattr(ours, name)(x + 1.0), getattr(theirs, name)(x + 1.0), rtol=1e-5, atol=1e-6)
