"""VAE: the variational autoencoder.

Diederik P. Kingma, Max Welling (2013), Auto-Encoding Variational Bayes, https://arxiv.org/abs/1312.6114
Importance-weighted bound: Yuri Burda, Roger Grosse, Ruslan Salakhutdinov (2015), https://arxiv.org/abs/1509.00519
"""

import math

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, domains, seeds
from keras_gen.base import GenerativeModel, Signature

tfd = tfp.distributions

#: Least scale of a normal, and of a logistic in units of half the range of the levels. The likelihood of
#: continuous data has no upper limit without one.
MIN_SCALE = 1e-3

#: Pairs of an example and an importance sample that are decoded at once.
ROWS_AT_ONCE = 5000


class VAE(GenerativeModel):
    r"""A latent-variable model p_θ(x|z) p(z), and a network q_φ(z|x) that approximates its posterior.

    $$p(z) = N(0, I), \qquad q_φ(z|x) = N(μ(x), \mathrm{diag}\, σ^2(x))$$
    $$\log p_θ(x) ≥ L(θ, φ; x) = E_{q_φ(z|x)}[\log p_θ(x|z)] - KL(q_φ(z|x) \| p(z))$$

    One z = μ + σ ⊙ ε, with ε ~ N(0, I), estimates the expectation, and the KL either in closed form or too:

    $$L^A = \log p_θ(x, z) - \log q_φ(z|x), \qquad L^B = \log p_θ(x|z) - KL(q_φ(z|x) \| p(z))$$

    Given z, the entries of x are independent: Bernoulli for two levels, a logistic rounded to the nearest level
    for more, and normal for real numbers; scales are outputs of the decoder.

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
        filters: channels of each convolution of the encoder, in front of its dense layers; each halves height
            and width, and the decoder mirrors them. They need `event_shape` (height, width, channels).
        estimator: "analytic" takes the KL in closed form (the paper's estimator B), "sampled" estimates it with
            the same z as the reconstruction (estimator A).
        activation: activation of the hidden layers.
        seed: as in `GenerativeModel`; also chooses the initial weights.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "elbo", "reconstruction", "kl", "bits_per_dim")

    def __init__(
        self,
        event_shape,
        latent_size: int = 50,
        levels: int | None = 2,
        *,
        hidden_units=(200, 200),
        filters=(),
        estimator: str = "analytic",
        activation="silu",
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.latent_size = checks.positive_int("latent_size", latent_size)
        self.hidden_units = checks.positive_ints("hidden_units", hidden_units)
        self.filters = checks.positive_ints("filters", filters)
        if self.filters and len(self.event_shape) != 3:
            raise ValueError(
                f"`event_shape` must be (height, width, channels) with `filters`, received {self.event_shape}."
            )
        self.estimator = checks.choice("estimator", estimator, ("analytic", "sampled"))
        self.activation = activation

        self.encoder = self.make_encoder()
        self.decoder = self.make_decoder()
        self._bound_function = None

    # Networks

    def layer_arguments(self, network: int, index: int) -> dict:
        """Policy and initial weights, from a stream of their own, of one layer of one network."""
        stream = np.random.SeedSequence((self.seed, network, index))
        initializer = keras.initializers.GlorotUniform(seed=int(stream.generate_state(1)[0]))
        return {"kernel_initializer": initializer, "dtype": self.dtype_policy}

    def make_encoder(self) -> keras.Sequential:
        """Builds the network from scaled examples to mean and unconstrained scale of the posterior."""
        network = keras.Sequential([keras.Input(self.event_shape)], name="encoder")
        for filters in self.filters:
            arguments = self.layer_arguments(0, len(network.layers))
            network.add(keras.layers.Conv2D(filters, 4, 2, "same", activation=self.activation, **arguments))
        network.add(keras.layers.Flatten(dtype=self.dtype_policy))
        for units in self.hidden_units:
            arguments = self.layer_arguments(0, len(network.layers))
            network.add(keras.layers.Dense(units, activation=self.activation, **arguments))
        network.add(keras.layers.Dense(2 * self.latent_size, **self.layer_arguments(0, len(network.layers))))
        return network

    def make_decoder(self) -> keras.Sequential:
        """Builds the network from z to the parameters of each entry's likelihood, which come last."""
        entry_parameters = 1 if self.levels == 2 else 2
        network = keras.Sequential([keras.Input((self.latent_size,))], name="decoder")
        for units in self.hidden_units[::-1]:
            arguments = self.layer_arguments(1, len(network.layers))
            network.add(keras.layers.Dense(units, activation=self.activation, **arguments))
        if not self.filters:
            arguments = self.layer_arguments(1, len(network.layers))
            network.add(keras.layers.Dense(self.event_size * entry_parameters, **arguments))
            return network

        height, width, channels = self.event_shape
        # Height and width before each convolution of the encoder, and after the last one.
        sizes = [(-(-height // 2**depth), -(-width // 2**depth)) for depth in range(len(self.filters) + 1)]
        smallest = (*sizes[-1], self.filters[-1])
        arguments = self.layer_arguments(1, len(network.layers))
        network.add(keras.layers.Dense(math.prod(smallest), activation=self.activation, **arguments))
        network.add(keras.layers.Reshape(smallest, dtype=self.dtype_policy))
        for depth in reversed(range(len(self.filters))):
            arguments = self.layer_arguments(1, len(network.layers))
            filters, activation = channels * entry_parameters, None
            if depth > 0:
                filters, activation = self.filters[depth - 1], self.activation
            network.add(keras.layers.Conv2DTranspose(filters, 4, 2, "same", activation=activation, **arguments))
            surplus = [(0, 2 * small - size) for small, size in zip(sizes[depth + 1], sizes[depth], strict=True)]
            if surplus != [(0, 0), (0, 0)]:
                network.add(keras.layers.Cropping2D(surplus, dtype=self.dtype_policy))
        return network

    # Densities

    def prior(self) -> tfd.Distribution:
        """Returns p(z), of event shape `(latent_size,)`."""
        return tfd.Independent(tfd.Normal(tf.zeros(self.latent_size), 1.0), 1)

    def posterior(self, x: tf.Tensor) -> tfd.Distribution:
        """Returns q(z|x), of batch shape `(batch,)`, for float32 examples of shape `(batch, *event_shape)`."""
        if self.levels is not None:
            x = x / (self.levels - 1.0)
        mean, scale = tf.split(tf.cast(self.encoder(x), tf.float32), 2, axis=-1)
        return tfd.Independent(tfd.Normal(mean, MIN_SCALE + tf.nn.softplus(scale)), 1)

    def likelihood_parameters(self, z: tf.Tensor) -> list[tf.Tensor]:
        """Computes the parameters of p(x|z).

        Args:
            z: float32 tensor of shape `(..., latent_size)`.

        Returns:
            Tensors of shape `(..., *event_shape)`: the logits for two levels, else location and scale, which for
            discrete entries are in levels.
        """
        output = tf.cast(self.decoder(tf.reshape(z, (-1, self.latent_size))), tf.float32)
        output = tf.reshape(output, tf.concat([tf.shape(z)[:-1], (*self.event_shape, -1)], axis=0))
        if self.levels == 2:
            return [output[..., 0]]
        location, scale = output[..., 0], MIN_SCALE + tf.nn.softplus(output[..., 1])
        if self.levels is None:
            return [location, scale]
        half = (self.levels - 1) / 2.0
        return [half * (1.0 + location), half * scale]

    def likelihood(self, z: tf.Tensor) -> tfd.Distribution:
        """Returns p(x|z), of batch shape `(...)`, for a float32 z of shape `(..., latent_size)`."""
        parameters = self.likelihood_parameters(z)
        if self.levels is None:
            entries = tfd.Normal(*parameters)
        elif self.levels == 2:
            entries = tfd.Bernoulli(*parameters, dtype=tf.float32)
        else:
            location, scale = parameters
            # The quantized distribution rounds up; half a level less rounds to the nearest.
            entries = tfd.QuantizedDistribution(tfd.Logistic(location - 0.5, scale), 0.0, self.levels - 1.0)
        return tfd.Independent(entries, len(self.event_shape))

    def log_prob_bound(self, x, num_samples: int = 100, seed=None) -> tuple[tf.Tensor, tf.Tensor]:
        r"""Estimates a lower bound of log p(x) by importance sampling from the posterior.

        $$\log p(x) ≥ E[\log \frac{1}{K} \sum_{k=1}^K w_k], \qquad w_k = \frac{p(x|z_k)\, p(z_k)}{q(z_k|x)}$$

        With one sample this is the evidence lower bound; it grows with K, towards log p(x). The memory it takes
        does not.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            num_samples: K, at least 1.
            seed: int or pair of ints; the same seed gives the same estimate. None takes the next seed of the
                model's own stream.

        Returns:
            Two float32 tensors of shape `(batch,)`, in nats: the estimates, and the Monte Carlo standard error
            of each, by the delta method: the standard deviation of the w_k divided by √K and their mean. It is
            NaN for one sample.

        Raises:
            ValueError: if `x` is not of the expected shape and domain, or `num_samples` is below 1.
        """
        x = self.validated(x)
        num_samples = checks.positive_int("num_samples", num_samples)
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        if self._bound_function is None:
            self._bound_function = tf.function(self._log_prob_bound, autograph=False, reduce_retracing=True)
        return self._bound_function(x, tf.constant(num_samples), seed)

    def _log_prob_bound(self, x, num_samples, seed):
        prior, posterior = self.prior(), self.posterior(x)
        chunk = tf.minimum(num_samples, tf.maximum(1, ROWS_AT_ONCE // tf.shape(x)[0]))
        number = tf.cast(num_samples, tf.float32)

        def add(done, log_sum, log_sum_of_squares):
            z = posterior.sample(chunk, seed=tf.random.experimental.stateless_fold_in(seed, done))
            log_weight = self.likelihood(z).log_prob(x) + prior.log_prob(z) - posterior.log_prob(z)
            # Chunks are of one size, for XLA: the last one may hold samples too many.
            wanted = done + tf.range(chunk) < num_samples
            log_weight = tf.where(wanted[:, tf.newaxis], log_weight, -math.inf)
            log_sum = tf.reduce_logsumexp(tf.concat([log_sum[tf.newaxis], log_weight], axis=0), axis=0)
            log_weight = tf.concat([log_sum_of_squares[tf.newaxis], 2.0 * log_weight], axis=0)
            return done + chunk, log_sum, tf.reduce_logsumexp(log_weight, axis=0)

        empty = tf.fill(tf.shape(x)[:1], -math.inf)
        _, log_sum, log_sum_of_squares = tf.while_loop(
            lambda done, *_: done < num_samples, add, (0, empty, empty), parallel_iterations=1
        )
        # K E[w²] / E[w]², from which the variance of their mean, relative to its square, follows.
        ratio = number * tf.exp(log_sum_of_squares - 2.0 * log_sum)
        standard_error = tf.sqrt(tf.maximum(ratio - 1.0, 0.0) / (number - 1.0))
        return log_sum - tf.math.log(number), standard_error

    # Objective

    def loss_terms(self, x, condition, *, seed, training):
        """The evidence lower bound in nats, its two parts, and the bound in bits per dimension."""
        prior, posterior = self.prior(), self.posterior(x)
        noise = self.replica_rows(lambda rows: prior.sample(rows, seed=seed), tf.shape(x)[0])
        z = posterior.mean() + posterior.stddev() * noise
        reconstruction = self.likelihood(z).log_prob(x)
        if self.estimator == "analytic":
            kl = tfd.kl_divergence(posterior, prior)
        else:
            kl = posterior.log_prob(z) - prior.log_prob(z)
        elbo = reconstruction - kl
        bits_per_dim = -elbo / (self.event_size * math.log(2.0))
        return {"loss": -elbo, "elbo": elbo, "reconstruction": reconstruction, "kl": kl, "bits_per_dim": bits_per_dim}

    # Latent code and back

    def encode(self, x) -> tf.Tensor:
        """Returns the mean of the posterior, of shape `(batch, latent_size)`.

        Args:
            x: examples of shape `(batch, *event_shape)`.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        return self.posterior(self.validated(x)).mean()

    def decode(self, z) -> tf.Tensor:
        """Returns the mean of the likelihood.

        Args:
            z: codes of shape `(batch, latent_size)`.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, in levels but not whole ones: for two levels it holds
            probabilities, for more the mean of the logistic, clipped to the range, before it is rounded.

        Raises:
            ValueError: if `z` is not of the expected shape or not finite.
        """
        z = domains.Reals().validate(z, (self.latent_size,), "z")
        parameters = self.likelihood_parameters(z)
        if self.levels is None:
            return parameters[0]
        if self.levels == 2:
            return tf.sigmoid(parameters[0])
        location, scale = parameters
        highest = self.levels - 1.0

        def softening(distance):
            return tf.math.log1p(tf.exp(-tf.abs(distance) / scale))

        # The integral of the survival function over the range, scale · (softplus(location / scale) -
        # softplus((location - highest) / scale)), in a form that does not overflow in LiteRT.
        clipped = tf.clip_by_value(location, 0.0, highest)
        return clipped + scale * (softening(location) - softening(location - highest))

    def reconstruct(self, x) -> tf.Tensor:
        """Returns `decode(encode(x))`: the mean image at the mean code, of the shape of `x`."""
        return self.decode(self.encode(x))

    def call(self, x):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x)

    # Sampling

    def noise_distributions(self):
        """The code z, and for each entry the random number that draws it from the likelihood."""
        if self.levels is None:
            return {"z": self.prior(), "normal": tfd.Sample(tfd.Normal(0.0, 1.0), self.event_shape)}
        return {"z": self.prior(), "uniform": tfd.Sample(tfd.Uniform(), self.event_shape)}

    def generate(self, noise, condition=None):
        self.validated_condition(condition)
        parameters = self.likelihood_parameters(noise["z"])
        if self.levels is None:
            mean, scale = parameters
            return mean + scale * noise["normal"]
        if self.levels == 2:
            return tf.cast(noise["uniform"] < tf.sigmoid(parameters[0]), tf.float32)
        location, scale = parameters
        drawn = tfd.Logistic(location - 0.5, scale).quantile(noise["uniform"])
        return tf.clip_by_value(tf.math.ceil(drawn), 0.0, self.levels - 1.0)

    # Export

    def signatures(self):
        """Adds `encode`, `decode`, `reconstruct` and `log_prob_bound` to what every model exports."""
        x = tf.TensorSpec((None, *self.event_shape), tf.float32, "x")
        z = tf.TensorSpec((None, self.latent_size), tf.float32, "z")
        scalar = tf.TensorSpec((), tf.int32)

        def log_prob_bound(x, num_samples, seed):
            bound, standard_error = self._log_prob_bound(x, num_samples, seeds.as_pair(seed))
            return {"log_prob_bound": bound, "standard_error": standard_error}

        return {
            **super().signatures(),
            "encode": Signature(lambda x: {"z": self.encode(x)}, {"x": x}),
            "decode": Signature(lambda z: {"x": self.decode(z)}, {"z": z}),
            "reconstruct": Signature(lambda x: {"x": self.reconstruct(x)}, {"x": x}),
            "log_prob_bound": Signature(
                log_prob_bound, {"x": x, "num_samples": scalar, "seed": scalar}, deterministic=False
            ),
        }
