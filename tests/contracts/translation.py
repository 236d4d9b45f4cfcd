"""From image to image."""

import keras
import numpy as np
import pytest

from contracts.training import TrainingContract


class TranslationContract(TrainingContract):
    """What holds for models that translate images; here, of small images with few levels."""

    # Two players chase each other: the generator fools a discriminator less and less while that learns.
    falling_term = "discriminator_loss"

    def outputs(self, model, seed):
        """Translations of images, which need not be rounded to see every weight."""
        return model.translated(
            model.source_space.scaled(model.source_space.examples(3, (seed, 0))), self.domain(model)
        )

    def domain(self, model):
        """Returns three domains, or None."""
        return None if model.domain_space is None else model.domain_space.examples(3)

    def compile(self, model, **arguments):
        model.compile(keras.optimizers.SGD(1e-3), keras.optimizers.Adam(5e-3), **arguments)
        return model

    def test_translations_are_in_their_space_and_do_not_depend_on_others(self, model):
        x, domain = model.source_space.examples(3), self.domain(model)
        found = model.translate(x, domain=domain)
        assert found.shape == (3, *model.target_space.shape)
        assert np.all(model.target_space.contains(found))
        alone = model.translate(x[:1], domain=None if domain is None else domain[:1])
        assert np.mean(alone != found[:1]) < 0.05
        assert np.any(found != model.translate(model.source_space.examples(3, (1, 1)), domain=domain))

    def test_a_domain_is_given_where_and_only_where_there_is_one(self, model):
        x = model.source_space.examples(1)
        given, wrong = (np.zeros(1), "`domain` must be None") if model.domain_space is None else (None, "must be given")
        with pytest.raises(ValueError, match=wrong):
            model.translate(x, domain=given)

    def test_a_preview_has_rows_of_as_many_images_as_the_batch(self, model, batch):
        columns = {name: space.validate(batch[name][:5], name) for name, space in model.spaces.items()}
        rows = model.preview(columns, seed=3)
        assert list(rows)[:2] == ["input", "output"]
        for space, shown in rows.values():
            assert shown.shape == (5, *space.shape)
            assert np.all(space.contains(shown))
        np.testing.assert_array_equal(rows["input"][1], columns[model.source_column])
