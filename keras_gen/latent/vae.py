"""VAE: the variational autoencoder, with a choice of priors and posteriors.

Diederik P. Kingma, Max Welling (2013), Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
Weighted divergence: Irina Higgins et al. (2017), beta-VAE, https://openreview.net/forum?id=Sy2fzU9gl
Warm-up and free bits: Samuel R. Bowman et al. (2016), https://arxiv.org/abs/1511.06349; Kingma et al. (2016),
https://arxiv.org/abs/1606.04934
"""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.latent.base import LatentVariableModel, divergence
from keras_gen.latent.networks import make_decoder, make_encoder
from keras_gen.latent.posteriors import POSTERIORS, draw_with_log_prob
from keras_gen.latent.priors.densities import DENSITIES
from keras_gen.networks import OwnNetwork, argument_value

tfb = tfp.bijectors
tfd = tfp.distributions


class VAE(LatentVariableModel):
    r"""A latent-variable model p_θ(x|z) p(z), and a network q_φ(z|x) that approximates its posterior.

    $$p(z) = N(0, I), \qquad q_φ(z|x) = N(μ(x), \mathrm{diag}\, σ^2(x))$$
    $$\log p_θ(x) ≥ L(θ, φ; x) = E_{q_φ(z|x)}[\log p_θ(x|z)] - KL(q_φ(z|x) \| p(z))$$

    One z = μ + σ ⊙ ε, with ε ~ N(0, I), estimates the expectation. The KL is computed in closed form, or estimated with
    the same z (the paper's estimators B and A):

    $$L^A = \log p_θ(x, z) - \log q_φ(z|x), \qquad L^B = \log p_θ(x|z) - KL(q_φ(z|x) \| p(z))$$

    Other priors and posteriors can replace these two; a KL without a closed form is estimated. Given z, the entries of
    x are independent; the decoder computes the parameters of their distributions.

    Example:

    ```python
    model = keras_gen.latent.VAE((28, 28, 1), latent_size=50, levels=2)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.fit(x_train, batch_size=100, epochs=20)                  # x_train holds 0s and 1s
    bound, standard_error = model.log_prob_bound(x_test[:100], num_samples=5000, seed=0)
    model.reconstruct(x_test[:16])
    model.sample(16, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        latent_size: number of entries of z.
        levels: number of levels of an entry; None for real numbers.
        hidden_units: width of each dense hidden layer of the encoder; the decoder has them in reverse. Without
            any, and without filters, both networks are affine.
        filters: channels of each convolution of the encoder, before its dense layers; each halves height and width, and
            the decoder mirrors them. They need `event_shape` (height, width, channels).
        prior: p(z): "standard_normal", "laplace", "student_t", "uniform_cube", "gaussian_mixture", "vamp_prior" or
            "model", or a dict of the name and the arguments of the class in `latent.priors.densities`, such as
            `{"name": "model", "model": "flows.RealNVP"}`.
        posterior: q(z|x): "diagonal", "full_covariance", "planar_flow", "radial_flow", "sylvester_flow" or
            "inverse_autoregressive_flow", or a dict of the name and the arguments of the class in `latent.posteriors`.
        activation: activation of the hidden layers.
        encoder_network: a Keras layer or model in place of the encoder. It maps examples, with levels scaled to [0, 1],
            to the parameters of the posterior: for "diagonal", the means and then the scales before a softplus, of
            shape `(batch, 2 * latent_size)`.
        decoder_network: the same in place of the decoder. It maps codes to the parameters of the likelihood, of shape
            `(batch, *event_shape, parameters of an entry)`, or with these along the last axis of the examples: for
            "bernoulli", the logits. If there is a condition, both get a list of two tensors, the second being the
            condition's vectors.
        **kwargs: as in `LatentVariableModel`: `likelihood`, `estimator`, `beta`, `warm_up_steps`, `free_nats`, `seed`,
            which also chooses the initial weights, `name` and `dtype`.
    """

    def __init__(
        self,
        event_shape,
        latent_size: int = 50,
        levels: int | None = 2,
        *,
        hidden_units=(200, 200),
        filters=(),
        prior="standard_normal",
        posterior="diagonal",
        activation="silu",
        encoder_network: OwnNetwork | None = None,
        decoder_network: OwnNetwork | None = None,
        **kwargs,
    ):
        super().__init__(event_shape, levels, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        self.prior = prior
        self.posterior = posterior
        self.activation = activation
        self.encoder_network = argument_value("encoder_network", encoder_network)
        self.decoder_network = argument_value("decoder_network", decoder_network)

        policy = {"dtype": self.dtype_policy}
        posterior_class, arguments = checks.component("posterior", posterior, POSTERIORS)
        self.posterior_family = posterior_class(self.latent_size, seed=(self.seed, 2), **arguments, **policy)
        prior_class, arguments = checks.component("prior", prior, DENSITIES)
        self.prior_family = prior_class(self.latent_size, self.event_space, seed=(self.seed, 3), **arguments, **policy)
        if self.prior_family.needs_posterior and self.condition_space is not None:
            raise ValueError(f"`prior` {prior!r} needs an unconditional model.")
        networks = {
            "hidden_units": self.hidden_units,
            "filters": self.filters,
            "activation": activation,
            "condition_size": self.vector_size,
            **policy,
        }
        outputs, entry_parameters = self.posterior_family.num_parameters, self.conditional.num_parameters
        self.encoder = make_encoder(encoder_network, self.event_shape, outputs, seed=(self.seed, 0), **networks)
        self.decoder = make_decoder(
            decoder_network,
            self.latent_size,
            self.event_shape,
            entry_parameters,
            linear=self.levels is not None,
            seed=(self.seed, 1),
            **networks,
        )

    # Densities

    def prior_distribution(self) -> tfd.Distribution:
        """Returns p(z), of event shape `(latent_size,)`."""
        return self.prior_family.distribution(self.posterior_distribution)

    def posterior_distribution(self, x: tf.Tensor, condition=None) -> tfd.TransformedDistribution:
        """Returns q(z|x), of batch shape `(batch,)`, for float32 examples of shape `(batch, *event_shape)`."""
        return self.posterior_of(self.posterior_parameters(x, condition))

    def posterior_parameters(self, x: tf.Tensor, condition=None) -> tf.Tensor:
        """Returns the encoder's output, float32 of shape `(batch, posterior_family.num_parameters)`."""
        scaled = self.event_space.scaled(x, 0.0, 1.0)
        return tf.cast(self.encoder(scaled, self.condition_vectors(condition)), tf.float32)

    def features(self, x, condition=None) -> tf.Tensor:
        """Returns the last hidden layer of the encoder, which tells a classifier more than a code.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch, units)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        x, condition = self.validated_pair(x, condition)
        scaled = self.event_space.scaled(x, 0.0, 1.0)
        return tf.cast(self.encoder.features(scaled, self.condition_vectors(condition)), tf.float32)

    def posterior_of(self, parameters: tf.Tensor) -> tfd.TransformedDistribution:
        """Returns q(z|x) given its parameters, on the codes that the prior allows."""
        posterior, support = self.posterior_family.distribution(parameters), self.prior_family.support()
        if support is None:
            return posterior
        return tfd.TransformedDistribution(posterior.distribution, tfb.Chain([support, posterior.bijector]))

    def likelihood_parameters(self, z, condition=None):
        vectors, leading = self.condition_vectors(condition), tf.shape(z)[:-1]
        if vectors is not None:
            vectors = tf.broadcast_to(vectors, tf.concat([leading, vectors.shape[-1:]], axis=0))
            vectors = tf.reshape(vectors, (-1, vectors.shape[-1]))
        parameters = tf.cast(self.decoder(tf.reshape(z, (-1, self.latent_size)), vectors), tf.float32)
        return tf.reshape(parameters, tf.concat([leading, tf.shape(parameters)[1:]], axis=0))

    def evidence(self, x, condition, noise, estimator):
        prior, posterior = self.prior_distribution(), self.posterior_distribution(x, condition)
        z, log_posterior = draw_with_log_prob(posterior, noise)
        kl = divergence(posterior, prior) if estimator == "analytic" else None
        return self.log_likelihood(x, z, condition), [log_posterior - prior.log_prob(z) if kl is None else kl]

    def posterior_codes(self, x, condition, noise):
        return self.posterior_distribution(x, condition).bijector.forward(noise)

    # Sampling

    def noise_distributions(self):
        """The code z, and the random numbers that draw each entry from the likelihood."""
        return {"z": self.prior_distribution(), **self.conditional.noise_of(self.event_shape)}

    def prior_codes(self, noise):
        return noise["z"]
