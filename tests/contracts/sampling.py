"""What every model that draws examples promises."""

import numpy as np
import pytest

from contracts.helpers import condition_for, draw, traced
from contracts.training import TrainingContract
from keras_gen.core import NoiseDriven


class ModelContract(TrainingContract):
    """What every model that draws examples promises.

    A test class provides `make_model` and `make_data`.
    """

    def outputs(self, model, seed):
        if "log_prob" in model.signatures():
            # One pass, where drawing may go through the entries one by one.
            return model.log_prob(model.event_space.examples(3, (0, seed)), condition_for(model, 3))
        return draw(model, 3, seed=seed)

    @traced()
    def test_samples_follow_the_seed(self, model):
        samples = draw(model, 8, seed=3)
        assert samples.shape == (8, *model.event_shape)
        assert np.all(model.event_space.contains(samples))
        np.testing.assert_array_equal(samples, draw(model, 8, seed=3))
        assert np.any(samples != draw(model, 8, seed=4))
        assert np.any(samples != draw(model, 8, seed=(1, 3)))
        assert np.any(draw(model, 8) != draw(model, 8))

    @traced()
    def test_a_sample_is_noise_made_into_an_example(self, model):
        assert isinstance(model, NoiseDriven) == ("generate" in model.signatures())
        if isinstance(model, NoiseDriven):
            generated = model.generate(model.noise(6, 5), condition_for(model, 6))
            np.testing.assert_allclose(generated, draw(model, 6, seed=5), rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize(
        ("arguments", "error", "sentence"),
        [
            ({"num_samples": 0}, ValueError, "`num_samples` must be at least 1, received 0."),
            ({"num_samples": -1}, ValueError, "`num_samples` must be at least 1, received -1."),
            ({"num_samples": 1.5}, TypeError, "`num_samples` must be a whole number, received 1.5."),
            ({"num_samples": 1, "seed": "a"}, TypeError, "`seed` must be an integer or a pair .*, received 'a'."),
            ({"num_samples": 1, "seed": 0.5}, TypeError, "`seed` must be an integer or a pair .*, received 0.5."),
        ],
    )
    def test_wrong_number_of_samples_or_seed(self, model, arguments, error, sentence):
        with pytest.raises(error, match=f"^{sentence}$"):
            model.sample(**arguments, condition=condition_for(model, 1))

    def test_a_condition_is_given_where_and_only_where_there_is_one(self, training, batch):
        model, _, _ = training
        kind = model.condition_space
        wrong, sentence = (np.zeros(4, int), "`condition` must be None") if kind is None else (None, "must be given")
        with pytest.raises(ValueError, match=sentence):
            model.fit(batch["x"][:4], wrong, verbose=0)
        with pytest.raises(ValueError, match=sentence):
            model.sample(4, condition=wrong)
        if "generate" in model.signatures():
            with pytest.raises(ValueError, match=sentence):
                model.generate(model.noise(4, 0), wrong)

    def test_event_shape_is_enough(self, model):
        plain = type(model)(model.event_shape)
        assert draw(plain, 2, seed=0).shape == (2, *model.event_shape)

    def test_the_likelihood_says_what_it_is(self, model):
        """Exact, a bound or an estimate, and the verb of that name; or nothing at all."""
        verbs = {None: set(), "exact": {"log_prob"}}
        for kind in ("lower bound", "upper bound", "estimate"):
            verbs[kind] = {"log_prob_bound"}
        assert {"log_prob", "log_prob_bound"} & set(model.signatures()) == verbs[model.likelihood_kind]

    @traced()
    def test_a_preview_shows_as_many_values_of_a_space_as_the_batch_holds(self, model, batch):
        columns = {name: space.validate(batch[name][:5], name) for name, space in model.spaces.items()}
        rows = model.preview(columns, seed=3)
        assert rows
        for (space, shown), (_, again) in zip(rows.values(), model.preview(columns, seed=3).values(), strict=True):
            assert shown.shape == (5, *space.shape)
            assert np.all(np.isfinite(shown))
            np.testing.assert_array_equal(shown, again)
