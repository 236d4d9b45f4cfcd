"""IWAE: the importance weighted autoencoder.

Yuri Burda, Roger Grosse, Ruslan Salakhutdinov (2015), Importance Weighted Autoencoders, https://arxiv.org/abs/1509.00519
Doubly reparameterized gradient: George Tucker, Dieterich Lawson, Shixiang Gu, Chris J. Maddison (2018),
https://arxiv.org/abs/1810.04152
"""

import math

import tensorflow as tf

from keras_gen import checks
from keras_gen.latent.posteriors import draw_with_log_prob
from keras_gen.latent.vae import VAE


class IWAE(VAE):
    r"""A VAE trained on a tighter bound, with K samples of z for each example.

    $$\log p_θ(x) ≥ L_K = E[\log \frac{1}{K} \sum_{k=1}^K w_k], \qquad w_k = \frac{p_θ(x|z_k)\, p(z_k)}{q_φ(z_k|x)},
    \qquad z_k = f_φ(ε_k, x)$$

    The gradient is $\sum_k \tilde w_k ∇ \log w_k$, with $\tilde w_k = w_k / \sum_j w_j$. As K grows, the signal for φ
    is lost in its noise. The doubly reparameterized gradient has the same mean and avoids this:

    $$∇_φ L_K = E[\sum_k \tilde w_k^2 \frac{∂ \log w_k}{∂ z_k} \frac{∂ z_k}{∂ φ}]$$

    Example:

    ```python
    model = keras_gen.latent.IWAE((28, 28, 1), latent_size=50, num_samples=50)
    model.compile(keras.optimizers.Adam(1e-3))
    model.fit(x_train, batch_size=20, epochs=20)                   # x_train holds 0s and 1s
    bound, standard_error = model.log_prob_bound(x_test[:100], num_samples=5000, seed=0)
    ```

    Args:
        event_shape: shape of one example.
        latent_size: number of entries of z.
        levels: number of levels of an entry; None for real numbers.
        num_samples: K.
        gradient: "reparameterized", or "doubly_reparameterized".
        **kwargs: as in `VAE`. The divergence is always estimated, with weight 1.
    """

    @property
    def terms(self):
        """As in `VAE`, and the bound that is trained."""
        return (*super().terms, "bound")

    def __init__(
        self,
        event_shape,
        latent_size: int = 50,
        levels: int | None = 2,
        *,
        num_samples: int = 50,
        gradient: str = "reparameterized",
        **kwargs,
    ):
        super().__init__(event_shape, latent_size, levels, **kwargs)
        self.num_samples = checks.positive_int("num_samples", num_samples)
        self.gradient = checks.choice("gradient", gradient, ("reparameterized", "doubly_reparameterized"))
        for name, value in (("beta", 1.0), ("warm_up_steps", 0), ("free_nats", 0.0)):
            if getattr(self, name) != value:
                raise ValueError(f"`{name}` must be {value} in an IWAE, received {getattr(self, name)}.")

    # Objective

    def loss_terms(self, batch, step):
        """The importance weighted bound L_K and, from the same samples, the evidence lower bound and its two sides.

        Bits per dimension are those of L_K.
        """
        x, condition = batch["x"], batch.get("condition")
        noise = tf.transpose(step.normal((tf.shape(x)[0], self.num_samples, self.latent_size)), (1, 0, 2))
        weights = []
        if self.gradient == "reparameterized":
            reconstruction, (kl,) = self.evidence(x, condition, noise, "sampled")
        else:
            reconstruction, kl = self.evidence_with_weighted_codes(x, condition, noise, weights)
        log_weight = reconstruction - kl
        weights.append(tf.nn.softmax(log_weight, axis=0)[..., tf.newaxis])
        bound = tf.reduce_logsumexp(log_weight, axis=0) - math.log(self.num_samples)
        reconstruction, kl = tf.reduce_mean(reconstruction, axis=0), tf.reduce_mean(kl, axis=0)
        terms = self.bound_terms(-bound, reconstruction - kl, reconstruction, kl)
        return {**terms, "bound": bound, **self.in_bits(-bound)}

    def evidence_with_weighted_codes(self, x, condition, noise, weights: list[tf.Tensor]):
        """Like `evidence`, with the gradient for φ of Tucker et al.

        Args:
            x: float32 examples of shape `(batch, *event_shape)`.
            condition: what they are conditioned on, or None.
            noise: standard normal numbers of shape `(num_samples, batch, latent_size)`.
            weights: a list that contains the normalized weights by the time the gradient is taken, of shape
                `(num_samples, batch, 1)`.
        """

        @tf.custom_gradient
        def weighted(z):
            # The gradient of log w contributes the first of the two factors, this the second.
            return tf.identity(z), lambda upstream: weights[0] * upstream

        parameters = self.posterior_parameters(x, condition)
        z, _ = draw_with_log_prob(self.posterior_of(parameters), noise)
        z = weighted(z)
        # φ acts only through z.
        log_posterior = self.posterior_of(tf.stop_gradient(parameters)).log_prob(z)
        return self.log_likelihood(x, z, condition), log_posterior - self.prior_distribution().log_prob(z)
