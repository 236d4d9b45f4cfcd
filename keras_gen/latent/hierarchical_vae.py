"""HierarchicalVAE: several layers of codes, from the top down.

Casper Kaae Sønderby, Tapani Raiko, Lars Maaløe, Søren Kaae Sønderby, Ole Winther (2016), Ladder Variational
Autoencoders, https://arxiv.org/abs/1602.02282
The posterior that shares the top-down path with the prior: Diederik P. Kingma et al. (2016), section 5 and appendix C
of https://arxiv.org/abs/1606.04934
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.latent.base import LatentVariableModel, divergence
from keras_gen.latent.networks import dense_layers, make_decoder, make_encoder
from keras_gen.latent.posteriors import Diagonal, draw_with_log_prob, standard_normal
from keras_gen.networks import OwnNetwork, argument_value

tfd = tfp.distributions


class CodeLayer(keras.layers.Layer):
    """One layer of codes: its prior given the features from above, its posterior, and the features it passes down.

    Args:
        latent_size: number of entries of its code.
        units: number of features on the way up, and on the way down.
        features_above: number of features from above; 0 at the top.
        activation: activation of the hidden layers.
        seed: seeds of the initial weights.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, latent_size: int, units: int, features_above: int, *, activation, seed, **kwargs):
        super().__init__(**kwargs)
        self.latent_size = latent_size
        self.activation_function = keras.activations.get(activation)
        policy = self.dtype_policy
        self.family = Diagonal(latent_size, seed=seed, dtype=policy)
        outputs = self.family.num_parameters
        self.prior_network = dense_layers((features_above, outputs), (*seed, 0), policy) if features_above else []
        self.posterior_network = dense_layers((units + features_above, units, outputs), (*seed, 1), policy)
        self.downward_network = dense_layers((latent_size + features_above, units), (*seed, 2), policy)
        self.built = True

    def prior(self, above: tf.Tensor | None) -> tfd.Distribution:
        """Returns p(z_l | z_>l), given features of shape `(..., features_above)`."""
        if above is None:
            return standard_normal(self.latent_size)
        return self.family.distribution(tf.cast(self.prior_network[0](above), tf.float32))

    def posterior(self, up: tf.Tensor, above: tf.Tensor | None) -> tfd.Distribution:
        """Returns q(z_l | x, z_>l), given features of x of shape `(batch, units)`."""
        if above is not None:
            up = tf.broadcast_to(up, tf.concat([tf.shape(above)[:-1], tf.shape(up)[-1:]], axis=0))
            up = tf.concat([up, above], axis=-1)
        first, last = self.posterior_network
        return self.family.distribution(tf.cast(last(self.activation_function(first(up))), tf.float32))

    def down(self, z: tf.Tensor, above: tf.Tensor | None) -> tf.Tensor:
        """Returns the features that the layer below sees."""
        z = tf.cast(z, self.compute_dtype)
        z = z if above is None else tf.concat([z, above], axis=-1)
        return self.activation_function(self.downward_network[0](z))


class HierarchicalVAE(LatentVariableModel):
    r"""A VAE with a code z_1, …, z_L in layers, each drawn given the layers above it.

    $$p(x, z) = p(x | z) \prod_l p(z_l | z_{>l}), \qquad q(z|x) = \prod_l q(z_l | x, z_{>l})$$
    $$\log p(x) ≥ E_q[\log p(x|z) - \sum_l KL(q(z_l|x, z_{>l}) \| p(z_l|z_{>l}))]$$

    Features of x go up, d_l = f(d_{l-1}), and features of the codes go down, t_l = g(t_{l+1}, z_{l+1}). Prior and
    posterior of a layer, both diagonal normal distributions, share t_l; the posterior also sees d_l.

    Example:

    ```python
    model = keras_gen.latent.HierarchicalVAE((28, 28, 1), latent_sizes=(32, 16), units=(256, 128))
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)                  # x_train holds 0s and 1s
    ```

    Args:
        event_shape: shape of one example.
        latent_sizes: number of entries of each layer's code, from the lowest layer, next to x, to the top.
        levels: number of levels of an entry; None for real numbers.
        units: features of each layer, on the way up and on the way down.
        hidden_units: width of each dense hidden layer between x and the features of the lowest layer.
        filters: channels of each convolution before them: see `VAE`.
        activation: activation of the hidden layers.
        encoder_network: as in `VAE`, from examples to the features of the lowest layer before the activation.
        decoder_network: as in `VAE`, from the features that the lowest layer passes down.
        **kwargs: as in `VAE`; `free_nats` apply to each layer.

    Raises:
        ValueError: if `units` and `latent_sizes` differ in length.
    """

    def __init__(
        self,
        event_shape,
        latent_sizes=(32, 16),
        levels: int | None = 2,
        *,
        units=(256, 128),
        hidden_units=(256,),
        filters=(),
        activation="silu",
        encoder_network: OwnNetwork | None = None,
        decoder_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, levels, **kwargs)
        self.latent_sizes = checks.positive_ints("latent_sizes", latent_sizes)
        self.units = checks.positive_ints("units", units)
        if len(self.units) != len(self.latent_sizes) or not self.units:
            raise ValueError(f"`units` must hold one number for each of the `latent_sizes`, received {self.units}.")
        self.latent_size = sum(self.latent_sizes)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.activation = activation
        self.activation_function = keras.activations.get(activation)
        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.decoder_network = argument_value("decoder_network", decoder_network)

        policy = {"dtype": self.dtype_policy}
        networks = {"hidden_units": self.hidden_units, "filters": self.filters, "activation": activation, **policy}
        self.encoder = make_encoder(encoder_network, self.event_shape, self.units[0], seed=(self.seed, 0), **networks)
        self.upward_layers = dense_layers(self.units, (self.seed, 1), self.dtype_policy)
        self.code_layers = [
            CodeLayer(size, units, above, activation=activation, seed=(self.seed, 2, index), **policy)
            for index, (size, units, above) in enumerate(
                zip(self.latent_sizes, self.units, (*self.units[1:], 0), strict=True)
            )
        ]
        self.decoder = make_decoder(
            decoder_network,
            self.units[0],
            self.event_shape,
            self.conditional.num_parameters,
            linear=self.levels is not None,
            seed=(self.seed, 3),
            **networks,
        )

    # Densities

    def split(self, codes: tf.Tensor) -> list[tf.Tensor]:
        """Splits a tensor of shape `(..., latent_size)` into the parts of each layer, the lowest first."""
        return tf.split(codes, self.latent_sizes, axis=-1)

    def upward(self, x: tf.Tensor) -> list[tf.Tensor]:
        """Returns the features of examples for each layer, the lowest first."""
        features = [self.activation_function(self.encoder(self.event_space.scaled(x, 0.0, 1.0)))]
        for layer in self.upward_layers:
            features.append(self.activation_function(layer(features[-1])))
        return features

    def likelihood_of(self, features: tf.Tensor) -> tf.Tensor:
        """Returns the parameters of p(x|z) for features from the lowest layer, of shape `(..., units)`."""
        parameters = tf.cast(self.decoder(tf.reshape(features, (-1, self.units[0]))), tf.float32)
        return tf.reshape(parameters, tf.concat([tf.shape(features)[:-1], tf.shape(parameters)[1:]], axis=0))

    def likelihood_parameters(self, z, condition=None):
        above = None
        for layer, code in zip(reversed(self.code_layers), reversed(self.split(z)), strict=True):
            above = layer.down(code, above)
        return self.likelihood_of(above)

    # Objective

    def downward(self, x: tf.Tensor, noise: tf.Tensor, estimator: str):
        """Draws the codes from the posterior, from the top down.

        Returns:
            The codes, of shape `(..., batch, latent_size)`, the features that the lowest layer passes down, and the
            divergence of each layer, the top first.
        """
        above, codes, divergences = None, [], []
        layers = zip(self.code_layers, self.upward(x), self.split(noise), strict=True)
        for layer, up, layer_noise in reversed(list(layers)):
            prior, posterior = layer.prior(above), layer.posterior(up, above)
            z, log_posterior = draw_with_log_prob(posterior, layer_noise)
            kl = divergence(posterior, prior) if estimator == "analytic" else log_posterior - prior.log_prob(z)
            above = layer.down(z, above)
            codes.append(z)
            divergences.append(kl)
        return tf.concat(codes[::-1], axis=-1), above, divergences

    def evidence(self, x, condition, noise, estimator):
        _, features, divergences = self.downward(x, noise, estimator)
        return self.log_likelihood_of(x, self.likelihood_of(features)), divergences

    def posterior_codes(self, x, condition, noise):
        return self.downward(x, noise, "sampled")[0]

    # Sampling

    def noise_distributions(self):
        """Standard normal numbers for the codes of all layers, and noise that draws each entry from the likelihood."""
        return {"code": standard_normal(self.latent_size), **self.conditional.noise_of(self.event_shape)}

    def prior_codes(self, noise):
        above, codes = None, []
        for layer, layer_noise in zip(reversed(self.code_layers), reversed(self.split(noise["code"])), strict=True):
            codes.append(layer.prior(above).bijector.forward(layer_noise))
            above = layer.down(codes[-1], above)
        return tf.concat(codes[::-1], axis=-1)
