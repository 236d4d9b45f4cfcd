"""Weights of examples."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from contracts.helpers import Contract, assert_same_weights, rows_of
from keras_gen import seeds
from keras_gen.core import Model, Step

WEIGHTS = np.array([2.0, 1.0, 1.0, 0.0], np.float32)


def terms_of(model, batch, seed, *, training=True, weights=None) -> dict[str, tuple[np.ndarray, np.ndarray | None]]:
    """Returns the terms of a batch as pairs of values and weights of their own, or None, and forgets all updates."""
    step = Step(seeds.as_pair(seed), training=training, sample_weight=weights)
    columns = {name: space.validate(batch[name], name) for name, space in model.spaces.items()}
    terms = step.record(lambda: model.loss_terms(columns, step), [])
    return {name: term if isinstance(term, tuple) else (term, None) for name, term in terms.items()}


def weighted_mean(values: tf.Tensor, own_weights: tf.Tensor | None) -> tf.Tensor:
    """Returns the mean of values of four examples by `WEIGHTS`, and their own weights where they have some."""
    if values.shape.rank == 0:
        return values
    weights = WEIGHTS if own_weights is None else WEIGHTS * own_weights
    return tf.reduce_sum(weights * values) / tf.reduce_sum(weights)


class SampleWeightContract(Contract):
    """Weight 2 in a batch is the example twice in it, and weight 0 is its absence: in all figures and in the gradient.

    Where the loss draws random numbers, which repeated examples would not share, both are those of weighted means.
    """

    def test_examples_count_by_their_weights(self, model, batch):
        four = rows_of(batch, slice(4))
        weighted, other = (self.compile_with_sgd(self.make_model()) for _ in range(2))
        for each in (weighted, other):
            each.set_weights(model.get_weights())
            for unit in each.column_units.values():
                unit.adapted.assign(1)
        if not model.takes_sample_weight:
            with pytest.raises(ValueError, match=r"^`sample_weight` must be None: the loss of \w+ is not a mean over"):
                weighted.fit(four, sample_weight=WEIGHTS, verbose=0)
            return
        first, second = (terms_of(model, four, seed)["loss"][0] for seed in (0, 1))
        if np.array_equal(first, second):
            self.compare_with_repeated_examples(weighted, other, four)
        else:
            self.compare_with_weighted_means(weighted, other, four)

    def compare_with_repeated_examples(self, weighted, repeated, four):
        five = rows_of(four, [0, 0, 1, 2])
        for verb in ("evaluate", "fit"):
            arguments = {"return_dict": True} if verb == "evaluate" else {"shuffle": False}
            found = getattr(weighted, verb)(four, sample_weight=WEIGHTS, batch_size=8, verbose=0, **arguments)
            expected = getattr(repeated, verb)(five, batch_size=8, verbose=0, **arguments)
            found, expected = (figures if verb == "evaluate" else figures.history for figures in (found, expected))
            for name, value in expected.items():
                np.testing.assert_allclose(found[name], value, rtol=1e-4, atol=1e-5, err_msg=f"{verb} {name}")
        assert_same_weights(weighted.weights, repeated.weights, rtol=1e-4, atol=1e-5)

    def compare_with_weighted_means(self, weighted, by_hand, four):
        assert type(by_hand).take_step is Model.take_step
        found = weighted.evaluate(four, sample_weight=WEIGHTS, verbose=0, return_dict=True)
        terms = terms_of(by_hand, four, by_hand.seed, training=False, weights=WEIGHTS)
        for name, value in found.items():
            np.testing.assert_allclose(value, weighted_mean(*terms[name]), rtol=1e-4, atol=1e-5, err_msg=name)

        weighted.fit(four, sample_weight=WEIGHTS, verbose=0, shuffle=False)
        with tf.GradientTape() as tape:
            terms = terms_of(by_hand, four, by_hand.next_seed(), weights=WEIGHTS)
            loss = weighted_mean(*terms["loss"]) + sum(by_hand.losses)
        keras.optimizers.SGD(0.05).apply(tape.gradient(loss, by_hand.trainable_variables), by_hand.trainable_variables)
        assert_same_weights(weighted.trainable_weights, by_hand.trainable_weights, rtol=1e-4, atol=1e-5)
