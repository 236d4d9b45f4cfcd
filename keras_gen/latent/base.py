"""The base of models with a code: bounds of the likelihood, from what noise makes of an example."""

import functools
import math

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, conditionals, seeds, spaces
from keras_gen.core import GenerativeModel, ImportanceBound, Signature

tfd = tfp.distributions

LIKELIHOODS = {
    "bernoulli": conditionals.Bernoulli,
    "categorical": conditionals.Categorical,
    "discretized_logistic": conditionals.DiscretizedLogistic,
    "normal": conditionals.Normal,
}


def likelihood_of_entries(value, levels: int | None) -> conditionals.Conditional:
    """Returns the distribution of an entry that the argument `likelihood` names.

    Args:
        value: a name, a dict of "name" and arguments, or None: Bernoulli for two levels, a discretized logistic for
            more, and normal for real numbers.
        levels: number of levels of an entry; None for real numbers.

    Raises:
        TypeError: if `value` is neither.
        ValueError: if it names none, or one that does not suit the levels.
    """
    default = {None: "normal", 2: "bernoulli"}.get(levels, "discretized_logistic")
    found, arguments = checks.component("likelihood", default if value is None else value, LIKELIHOODS)
    suits = {None: (conditionals.Normal,), 2: (conditionals.Bernoulli, conditionals.Categorical)}
    if found not in suits.get(levels, (conditionals.Categorical, conditionals.DiscretizedLogistic)):
        raise ValueError(f"`likelihood` {value!r} does not suit entries with {levels or 'no'} levels.")
    if found in (conditionals.Categorical, conditionals.DiscretizedLogistic):
        arguments["levels"] = levels
    return found(**arguments)


class LatentVariableModel(ImportanceBound, GenerativeModel):
    r"""A model p(x|z) p(z) with a code z, and a network q(z|x) that approximates its posterior.

    $$\log p(x) ≥ E_{q(z|x)}[\log p(x|z) + \log p(z) - \log q(z|x)]$$

    A subclass provides `evidence`, `code`, `codes_of` and `likelihood_parameters`; the loss and tighter bounds of the
    likelihood, reconstruction, sampling, imputation and the exports follow.

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry; None for real numbers.
        likelihood: distribution of an entry given the code: see `likelihood_of_entries`.
        estimator: "analytic" takes the divergence from the prior in closed form, where there is one; "sampled"
            estimates it with the same z as the reconstruction.
        beta: weight of the divergence in the loss.
        warm_up_steps: training steps over which this weight grows from 0.
        free_nats: divergence, in nats on average over a batch, that costs nothing (free bits).
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    terms = ("loss", "elbo", "reconstruction", "kl", "bits_per_dim")

    #: Entries of the noise that one example is encoded with, and of a whole code.
    latent_size: int

    def __init__(
        self,
        event_shape,
        levels: int | None,
        *,
        likelihood=None,
        estimator: str = "analytic",
        beta: float = 1.0,
        warm_up_steps: int = 0,
        free_nats: float = 0.0,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.likelihood = likelihood
        self.conditional = likelihood_of_entries(likelihood, self.levels)
        self.estimator = checks.choice("estimator", estimator, ("analytic", "sampled"))
        self.beta = checks.not_negative("beta", beta)
        self.warm_up_steps = int(checks.not_negative("warm_up_steps", warm_up_steps))
        self.free_nats = checks.not_negative("free_nats", free_nats)

    # Primitives

    def evidence(self, x: tf.Tensor, condition, noise: tf.Tensor, estimator: str) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Computes the parts of the evidence lower bound.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            noise: standard normal numbers of shape `(..., batch, latent_size)`.
            estimator: as in the constructor.

        Returns:
            log p(x|z), and for each layer of codes its divergence, or log q(z|x) - log p(z), which broadcasts to it;
            of shape `(..., batch)`, in nats.
        """
        raise NotImplementedError

    def codes_of(self, x: tf.Tensor, condition, noise: tf.Tensor) -> tf.Tensor:
        """Returns codes drawn from q(z|x), of the shape of the noise; noise 0 is the centre."""
        raise NotImplementedError

    def code(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns codes of the prior, of shape `(num, latent_size)`, from the noise other than the likelihood's."""
        raise NotImplementedError

    def likelihood_parameters(self, z: tf.Tensor, condition=None) -> tf.Tensor:
        """Computes the parameters of p(x|z).

        Args:
            z: float32 tensor of shape `(..., latent_size)`.
            condition: what the examples are conditioned on, or None; its batch is the last axis of z but one.

        Returns:
            float32 tensor of shape `(..., *event_shape, parameters of an entry)`.
        """
        raise NotImplementedError

    def scaled(self, x: tf.Tensor) -> tf.Tensor:
        """Returns examples for networks: levels go from 0 to 1."""
        return x if self.levels is None else x / (self.levels - 1.0)

    def log_likelihood(self, x: tf.Tensor, z: tf.Tensor, condition=None) -> tf.Tensor:
        """Returns log p(x|z) in nats, of shape `(..., batch)`, for codes of shape `(..., batch, latent_size)`."""
        return self.log_likelihood_of(x, self.likelihood_parameters(z, condition))

    def log_likelihood_of(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Returns log p(x|z) in nats, of shape `(..., batch)`, given the parameters that z leads to."""
        entries = self.conditional.log_prob(parameters, x)
        return tf.reduce_sum(entries, axis=tuple(range(-len(self.event_shape), 0)))

    # Objective

    def training_noise(self, seed: tf.Tensor, batch_size: tf.Tensor) -> tf.Tensor:
        """Returns standard normal numbers of shape `(batch, latent_size)`, alike for any number of replicas."""
        return self.replica_rows(lambda rows: seeds.normal((rows, self.latent_size), seed), batch_size)

    def loss_terms(self, x, condition, *, seed, training):
        """The evidence lower bound in nats, its two parts, and the bound in bits per dimension."""
        noise = self.training_noise(seed, tf.shape(x)[0])
        reconstruction, divergences = self.evidence(x, condition, noise, self.estimator)
        kl = tf.add_n(divergences)
        loss = -reconstruction + self.weight(training) * tf.add_n([self.charged(part) for part in divergences])
        return self.bound_terms(loss, reconstruction - kl, reconstruction, kl)

    def bound_terms(self, loss, elbo, reconstruction, kl) -> dict[str, tf.Tensor]:
        """Returns the terms that are logged."""
        bits_per_dim = -elbo / (self.event_size * math.log(2.0))
        return {"loss": loss, "elbo": elbo, "reconstruction": reconstruction, "kl": kl, "bits_per_dim": bits_per_dim}

    def weight(self, training: bool) -> tf.Tensor | float:
        """Returns the weight of the divergence in the loss."""
        if not training or self.warm_up_steps == 0:
            return self.beta
        steps = tf.cast(self.optimizer.iterations, tf.float32) + 1.0
        return self.beta * tf.minimum(1.0, steps / self.warm_up_steps)

    def charged(self, kl: tf.Tensor) -> tf.Tensor:
        """Returns what a divergence costs: its mean over the batch, but at least the free nats."""
        if self.free_nats == 0.0:
            return kl
        mean = tf.reduce_mean(kl)
        context = tf.distribute.get_replica_context()
        if context is not None and context.num_replicas_in_sync > 1:
            mean = context.all_reduce("MEAN", tf.stop_gradient(mean))
        return tf.where(mean > self.free_nats, kl, self.free_nats)

    # Bounds

    def log_weights(self, x, condition, num_samples, seed):
        r"""$\log \frac{p(x|z)\, p(z)}{q(z|x)}$ for codes z drawn from the posterior."""
        noise = seeds.normal((num_samples, tf.shape(x)[0], self.latent_size), seed)
        reconstruction, divergences = self.evidence(x, condition, noise, "sampled")
        return reconstruction - tf.add_n(divergences)

    # Latent code and back

    def encode(self, x, condition=None) -> tf.Tensor:
        """Returns the centre of the posterior, of shape `(batch, latent_size)`: the code that noise 0 gives.

        Args:
            x: examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, for a conditional model.

        Raises:
            ValueError: if `x` is not of the expected shape and domain.
        """
        x = self.validated(x)
        return self.codes_of(x, self.validated_condition(condition), tf.zeros((tf.shape(x)[0], self.latent_size)))

    def decode(self, z, condition=None) -> tf.Tensor:
        """Returns the mean of the likelihood.

        Args:
            z: codes of shape `(batch, latent_size)`.
            condition: what the examples are conditioned on, for a conditional model.

        Returns:
            float32 tensor of shape `(batch, *event_shape)`, in levels but not whole ones: for two levels it holds
            probabilities.

        Raises:
            ValueError: if `z` is not of the expected shape or not finite.
        """
        z = spaces.Reals().validate(z, (self.latent_size,), "z")
        return self.conditional.mean(self.likelihood_parameters(z, self.validated_condition(condition)))

    def reconstruct(self, x, condition=None) -> tf.Tensor:
        """Returns `decode(encode(x))`: the mean image at the centre of the posterior, of the shape of `x`."""
        return self.decode(self.encode(x, condition), condition)

    def call(self, x, condition=None):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x, condition)

    def impute(self, x, mask, *, num_steps: int = 100, condition=None, seed=None) -> tf.Tensor:
        """Draws missing entries by drawing, in turn, a code given all entries and the missing ones given the code.

        Where the posterior is exact, this is Gibbs sampling of the missing entries given the others, which the draws
        follow after many steps (Rezende, Mohamed, Wierstra, 2014, https://arxiv.org/abs/1401.4082, section 6.4).

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries hold what to start from, in the domain.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            num_steps: number of turns, at least 1.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if `x` is not of the expected shape and domain, or `num_steps` is below 1.
        """
        x, condition = self.validated(x), self.validated_condition(condition)
        num_steps = checks.positive_int("num_steps", num_steps)
        missing = tf.constant(np.broadcast_to(np.asarray(mask, bool), x.shape))
        seed = self.next_seed() if seed is None else seeds.as_pair(seed)
        return self.compiled_impute(x, missing, condition, tf.constant(num_steps), seed)

    @functools.cached_property
    def compiled_impute(self):
        """`_impute` as a graph."""
        return tf.function(self._impute, autograph=False, reduce_retracing=True)

    def _impute(self, x, missing, condition, num_steps, seed):
        batch_size = tf.shape(x)[0]

        def turn(step, values):
            code_seed, entry_seed = tf.unstack(tf.random.split(tf.random.experimental.stateless_fold_in(seed, step), 2))
            z = self.codes_of(values, condition, seeds.normal((batch_size, self.latent_size), code_seed))
            noise = seeds.draws(self.conditional.noise_of(self.event_shape), batch_size, entry_seed)
            drawn = self.conditional.draw(self.likelihood_parameters(z, condition), noise)
            return step + 1, tf.where(missing, drawn, values)

        return tf.while_loop(lambda step, _: step < num_steps, turn, (0, x), parallel_iterations=1)[1]

    # Sampling

    def generate(self, noise, condition=None):
        parameters = self.likelihood_parameters(self.code(noise), self.validated_condition(condition))
        return self.conditional.draw(parameters, noise)

    # Export

    def signatures(self):
        """Adds `encode`, `decode`, `reconstruct` and `log_prob_bound` to what every model exports."""
        x = {"x": tf.TensorSpec((None, *self.event_shape), tf.float32, "x"), **self.specs("condition")}
        z = {"z": tf.TensorSpec((None, self.latent_size), tf.float32, "z"), **self.specs("condition")}

        return {
            **super().signatures(),
            "encode": Signature(lambda x, condition=None: {"z": self.encode(x, condition)}, x),
            "decode": Signature(lambda z, condition=None: {"x": self.decode(z, condition)}, z),
            "reconstruct": Signature(lambda x, condition=None: {"x": self.reconstruct(x, condition)}, x),
            "log_prob_bound": self.estimate_signature(),
        }


def divergence(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """Returns the divergence of a posterior from a prior in nats, or None if it has no closed form."""
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return None
