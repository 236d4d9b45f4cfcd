"""Codes: from an example to its code, and back."""

import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, condition_for
from keras_gen.core import DrawsFromCodes


class CodesContract(Contract):
    """A model encodes and decodes, each example for itself, and reconstructs where that is not the same.

    A test class is one of `TrainingContract`, too.
    """

    def verbs(self, model):
        """Returns `encode`, `decode` and `reconstruct`, given a condition where the codes depend on one."""
        takes_condition = model.condition_space is not None and model.codes_take_condition

        def given(verb):
            return lambda values: verb(values, condition_for(model, len(values))) if takes_condition else verb(values)

        return given(model.encode), given(model.decode), given(model.reconstruct)

    def test_codes_are_values_of_their_space_and_reconstructions_are_decoded_ones(self, model, batch):
        encode, decode, reconstruct = self.verbs(model)
        x = batch["x"][:6]
        codes = encode(x)
        assert codes.shape == (6, *model.code_space.shape)
        assert np.all(model.code_space.contains(tf.cast(codes, model.code_space.dtype)))
        decoded = decode(codes)
        assert decoded.dtype == tf.float32
        assert decoded.shape == (6, *model.event_shape)
        np.testing.assert_allclose(reconstruct(x), decoded, rtol=1e-5, atol=1e-5)
        if not model.reconstructs:
            np.testing.assert_allclose(decoded, x, rtol=1e-3, atol=1e-3)

    def test_each_code_belongs_to_its_example_alone(self, model, batch):
        encode, decode, _ = self.verbs(model)
        x = np.array(batch["x"][:4])
        codes = encode(x)
        other = np.array(x)
        other[0] = batch["x"][5]
        np.testing.assert_allclose(encode(other)[1:], codes[1:], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(decode(encode(other))[1:], decode(codes)[1:], rtol=1e-4, atol=1e-5)

    def test_means_are_what_drawn_codes_stand_for(self, model):
        if not isinstance(model, DrawsFromCodes):
            assert "mean" not in getattr(model, "sampling_options", dict)()
            return
        condition = condition_for(model, 5)
        means = model.sample(5, condition=condition, seed=2, mean=True)
        codes = model.drawn_codes(model.noise(5, 2), condition)
        np.testing.assert_allclose(means, model.mean_of(codes, condition), rtol=1e-5, atol=1e-5)
        draws = model.sample(5, condition=condition, seed=2)
        np.testing.assert_array_equal(draws, model.sample(5, condition=condition, seed=2, mean=False))
        assert np.any(means != draws)

    def test_signatures_name_the_code(self, model):
        signatures = model.signatures()
        assert model.code_name in signatures["decode"].inputs
        assert "x" in signatures["encode"].inputs
        assert ("reconstruct" in signatures) == model.reconstructs

    def test_wrong_codes_get_one_sentence(self, model, batch):
        encode, decode, _ = self.verbs(model)
        codes = np.array(encode(batch["x"][:2]), np.float32)
        codes.flat[-1] = np.nan
        with pytest.raises(ValueError, match=rf"^`{model.code_name}` holds the value nan; expected .*\.$"):
            decode(codes)
        with pytest.raises(ValueError, match=rf"^`{model.code_name}` must have shape \(batch, .*\), received .*\.$"):
            decode(np.zeros((2, *model.code_space.shape, 1), np.float32))
