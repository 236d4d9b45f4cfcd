"""LSGAN: contracts; its losses are tested with the others."""

from contracts import AdversarialContract

from keras_gen.adversarial import LSGAN


class TestContract(AdversarialContract):
    """Every argument away from its default."""

    event_shape = (4, 4, 1)

    def make_model(self, **changes):
        options = {
            "objective": {"name": "least_squares", "fake": 0.0, "real": 1.0, "wanted": 1.0},
            "latent_size": 3,
            "generator_network": {"name": "dense", "hidden_units": [6]},
            "discriminator_network": {"name": "dense", "hidden_units": [6]},
            "name": "players",
        }
        return LSGAN(self.event_shape, 9, **{**options, **changes})
