"""Defaults follow the shape of an example: every model can be built from it alone, as far as it can be built at all."""

import numpy as np
import pytest

from keras_gen import autoregressive, flows, latent

CASES = [
    (autoregressive.PixelCNNPlusPlus, (8, 8, 1), "num_resolutions", 3),
    (autoregressive.PixelCNNPlusPlus, (6, 2, 1), "num_resolutions", 2),
    (autoregressive.PixelCNNPlusPlus, (5, 3, 1), "num_resolutions", 1),
    (flows.Glow, (8, 12, 1), "num_scales", 2),
    (flows.Glow, (2, 2, 1), "num_scales", 1),
    (flows.MultiScaleRealNVP, (4, 6, 1), "num_scales", 2),
    (flows.MultiScaleRealNVP, (5, 3, 1), "num_scales", 1),
    (autoregressive.MarkovChain, (3,), "order", 1),
    (autoregressive.MarkovChain, (1, 1, 1), "order", 0),
    (latent.ProbabilisticPCA, (5,), "latent_size", 2),
    (latent.ProbabilisticPCA, (2,), "latent_size", 1),
]


#: What makes models small.
SMALL = {
    autoregressive.PixelCNNPlusPlus: {"filters": 2, "num_blocks": 1, "num_components": 1},
    flows.Glow: {"num_steps": 1, "filters": 2},
    flows.MultiScaleRealNVP: {"filters": 2, "num_blocks": 1},
}


@pytest.mark.parametrize(("model_class", "event_shape", "argument", "expected"), CASES, ids=str)
def test_a_default_follows_the_shape(model_class, event_shape, argument, expected):
    small = SMALL.get(model_class, {})
    model = model_class(event_shape, **small)
    assert getattr(model, argument) == model.get_config()[argument] == expected
    chosen = model_class(event_shape, **{argument: expected}, **small)
    for weight, other in zip(model.weights, chosen.weights, strict=True):
        np.testing.assert_array_equal(weight, other)


def test_what_cannot_be_built_says_so():
    with pytest.raises(ValueError, match=r"`event_shape` must have a height and width divisible by 2 with"):
        flows.Glow((5, 3, 1))
    with pytest.raises(ValueError, match=r"`event_shape` must be \(height, width, channels\), received \(3,\)"):
        flows.MultiScaleRealNVP((3,))
    with pytest.raises(ValueError, match="`latent_size` must be less than the 1 entries of an example"):
        latent.ProbabilisticPCA((1,))
