"""The base class of models with a latent code: the evidence lower bound, and what follows from the networks."""

import functools

import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.core import DrawsFromCodes, ImportanceBound, NoiseDriven, Step
from keras_gen.core.standardization import Standardization
from keras_gen.distributions import entries
from keras_gen.spaces import Reals

tfd = tfp.distributions

LIKELIHOODS = {
    "bernoulli": entries.Bernoulli,
    "categorical": entries.Categorical,
    "discretized_logistic": entries.DiscretizedLogistic,
    "normal": entries.Normal,
}


def likelihood_of_entries(value, levels: int | None, unit: Standardization | None = None) -> entries.Conditional:
    """Returns the distribution of an entry specified by the argument `likelihood`.

    Args:
        value: a name, a dict of "name" and arguments, or None: Bernoulli for two levels, a discretized logistic for
            more, and normal for real numbers.
        levels: number of levels of an entry; None for real numbers.
        unit: the model's unit of real numbers; None for none.

    Raises:
        TypeError: if `value` is neither a name nor a dict nor None.
        ValueError: if there is no such distribution, or it does not fit the levels.
    """
    default = {None: "normal", 2: "bernoulli"}.get(levels, "discretized_logistic")
    component_class, arguments = checks.component("likelihood", default if value is None else value, LIKELIHOODS)
    suits = {None: (entries.Normal,), 2: (entries.Bernoulli, entries.Categorical)}
    if component_class not in suits.get(levels, (entries.Categorical, entries.DiscretizedLogistic)):
        raise ValueError(f"`likelihood` {value!r} does not suit entries with {levels or 'no'} levels.")
    if component_class in (entries.Categorical, entries.DiscretizedLogistic):
        arguments["levels"] = levels
    conditional = component_class(**arguments)
    return conditional if unit is None else entries.InUnit(conditional, unit)


class LatentVariableModel(ImportanceBound, DrawsFromCodes, NoiseDriven):
    r"""A model p(x|z) p(z) with a code z, and a network q(z|x) that approximates its posterior.

    $$\log p(x) ≥ E_{q(z|x)}[\log p(x|z) + \log p(z) - \log q(z|x)]$$

    A subclass provides `evidence`, `posterior_codes`, `prior_codes` and `likelihood_parameters`; the loss, tighter
    bounds on the likelihood, reconstruction, sampling, imputation and exports follow.

    Args:
        event_shape: shape of one example.
        levels: number of levels of an entry; None for real numbers.
        likelihood: distribution of an entry given z: "bernoulli", "categorical", "discretized_logistic" or "normal",
            or a dict such as `{"name": "normal", "scale": 0.1}`. None chooses by the levels: Bernoulli for two, a
            logistic rounded to the nearest level for more, and normal for real numbers. A fixed scale is in the data's
            units.
        estimator: "analytic" computes the divergence from the prior in closed form, if there is one; "sampled"
            estimates it with the same z as the reconstruction.
        beta: weight of the divergence in the loss.
        warm_up_steps: training steps over which this weight grows from 0.
        free_nats: divergence, in nats averaged over a batch, that is not penalised (free bits).
        seed: as in `GenerativeModel`.
        **kwargs: as in `GenerativeModel`.
    """

    #: Number of entries of a code, and of the noise that encodes one example.
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
        self.conditional = likelihood_of_entries(likelihood, self.levels, self.standardization)
        self.estimator = checks.choice("estimator", estimator, ("analytic", "sampled"))
        self.beta = checks.not_negative("beta", beta)
        self.warm_up_steps = checks.not_negative("warm_up_steps", warm_up_steps, whole=True)
        self.free_nats = checks.not_negative("free_nats", free_nats)

    # Primitives

    def evidence(self, x: tf.Tensor, condition, noise: tf.Tensor, estimator: str) -> tuple[tf.Tensor, list[tf.Tensor]]:
        """Computes the two sides of the evidence lower bound.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            noise: standard normal numbers of shape `(..., batch, latent_size)`.
            estimator: as in the constructor.

        Returns:
            log p(x|z), of shape `(..., batch)` in nats; and for each layer of codes its divergence, or
            log q(z|x) - log p(z), of a shape that broadcasts to it.
        """
        raise NotImplementedError

    def posterior_codes(self, x: tf.Tensor, condition, noise: tf.Tensor) -> tf.Tensor:
        """Returns codes drawn from q(z|x), of the shape of the noise; noise 0 gives the centre."""
        raise NotImplementedError

    def prior_codes(self, noise: dict[str, tf.Tensor]) -> tf.Tensor:
        """Returns codes drawn from p(z), of shape `(num, latent_size)`, from draws of `noise_distributions`."""
        raise NotImplementedError

    def likelihood_parameters(self, z: tf.Tensor, condition=None) -> tf.Tensor:
        """Computes the parameters of p(x|z).

        Args:
            z: float32 tensor of shape `(..., latent_size)`.
            condition: what the examples are conditioned on, or None; its batch is the second-to-last axis of z.

        Returns:
            float32 tensor of shape `(..., *event_shape, parameters of an entry)`.
        """
        raise NotImplementedError

    def log_likelihood(self, x: tf.Tensor, z: tf.Tensor, condition=None) -> tf.Tensor:
        """Returns log p(x|z) in nats, of shape `(..., batch)`, for codes of shape `(..., batch, latent_size)`."""
        return self.log_likelihood_of(x, self.likelihood_parameters(z, condition))

    def log_likelihood_of(self, x: tf.Tensor, parameters: tf.Tensor) -> tf.Tensor:
        """Returns log p(x|z) in nats, of shape `(..., batch)`, given the output of `likelihood_parameters`."""
        log_probs = self.conditional.log_prob(parameters, x)
        return tf.reduce_sum(log_probs, axis=tuple(range(-len(self.event_shape), 0)))

    # Objective

    @property
    def terms(self) -> tuple[str, ...]:
        """The loss, the evidence lower bound, its two sides and, except for real numbers, bits per dimension."""
        return ("loss", "elbo", "reconstruction", "kl", *self.bit_terms)

    def loss_terms(self, batch, step):
        """The evidence lower bound in nats, its two sides and, except for real numbers, bits per dimension."""
        x = batch["x"]
        noise = step.normal((tf.shape(x)[0], self.latent_size))
        reconstruction, divergences = self.evidence(x, batch.get("condition"), noise, self.estimator)
        kl = tf.add_n(divergences)
        cost = tf.add_n([self.with_free_bits(divergence, step) for divergence in divergences])
        loss = -reconstruction + self.divergence_weight(step) * cost
        return self.bound_terms(loss, reconstruction - kl, reconstruction, kl)

    def bound_terms(self, loss, elbo, reconstruction, kl) -> dict[str, tf.Tensor]:
        """Returns the terms that are logged."""
        return {"loss": loss, "elbo": elbo, "reconstruction": reconstruction, "kl": kl, **self.in_bits(-elbo)}

    def divergence_weight(self, step: Step) -> tf.Tensor | float:
        """Returns the weight of the divergence in the loss, which grows during warm-up."""
        if not step.training or self.warm_up_steps == 0:
            return self.beta
        return self.beta * tf.minimum(1.0, (tf.cast(step.iteration, tf.float32) + 1.0) / self.warm_up_steps)

    def with_free_bits(self, kl: tf.Tensor, step: Step) -> tf.Tensor:
        """Returns a divergence's cost: itself if its mean over the batch exceeds the free nats, else the free nats."""
        if self.free_nats == 0.0:
            return kl
        return tf.where(step.mean(kl) > self.free_nats, kl, self.free_nats)

    # Bound

    def log_weights(self, x, condition, num_samples, seed):
        r"""$\log \frac{p(x|z)\, p(z)}{q(z|x)}$ for codes z drawn from the posterior."""
        noise = seeds.normal((num_samples, tf.shape(x)[0], self.latent_size), seed)
        reconstruction, divergences = self.evidence(x, condition, noise, "sampled")
        return reconstruction - tf.add_n(divergences)

    # Codes

    @property
    def code_space(self):
        return Reals((self.latent_size,))

    def code_of(self, x, condition):
        """The centre of the posterior: the code given by noise 0."""
        return self.posterior_codes(x, condition, tf.zeros((tf.shape(x)[0], self.latent_size)))

    def mean_of(self, z, condition):
        """The mean of the likelihood."""
        return self.conditional.mean(self.likelihood_parameters(z, condition))

    def call(self, x, condition=None):
        """The reconstruction, so that `model.predict(x)` returns it."""
        return self.reconstruct(x, condition)

    def impute(self, x, mask, *, num_steps: int = 100, condition=None, seed=None) -> tf.Tensor:
        """Draws missing entries by alternately drawing a code given all entries and the missing ones given the code.

        If the posterior is exact, this is Gibbs sampling: after many steps, the draws follow the distribution of the
        missing entries given the others (Rezende, Mohamed, Wierstra, 2014, https://arxiv.org/abs/1401.4082, section
        6.4).

        Args:
            x: examples of shape `(batch, *event_shape)`; missing entries hold valid initial values.
            mask: nonzero where an entry is missing, of a shape that broadcasts to `x`.
            num_steps: number of steps, at least 1.
            condition: what the examples are conditioned on, for a conditional model.
            seed: int or pair of ints; None takes the next seed of the model's own stream.

        Returns:
            `x` with its missing entries drawn.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one, or `num_steps` is below 1.
        """
        x, condition = self.validated_pair(x, condition)
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

        def gibbs_step(index, x):
            fold = tf.random.experimental.stateless_fold_in(seed, index)
            code_seed, entry_seed = tf.unstack(tf.random.split(fold, 2))
            z = self.posterior_codes(x, condition, seeds.normal((batch_size, self.latent_size), code_seed))
            noise = seeds.draws(self.conditional.noise_of(self.event_shape), batch_size, entry_seed)
            draws = self.conditional.draw(self.likelihood_parameters(z, condition), noise)
            return index + 1, tf.where(missing, draws, x)

        return tf.while_loop(lambda index, _: index < num_steps, gibbs_step, (0, x), parallel_iterations=1)[1]

    # Sampling

    def drawn_codes(self, noise, condition):
        return self.prior_codes(noise)

    def generate(self, noise, condition=None):
        condition = self.validated_condition(condition, **noise)
        parameters = self.likelihood_parameters(self.prior_codes(noise), condition)
        return self.conditional.draw(parameters, noise)


def divergence(posterior: tfd.Distribution, prior: tfd.Distribution) -> tf.Tensor | None:
    """Returns the divergence of a posterior from a prior in nats, or None if it has no closed form."""
    try:
        return tfd.kl_divergence(posterior, prior)
    except NotImplementedError:
        return None
