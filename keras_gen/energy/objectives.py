"""How an energy is trained: by maximum likelihood with sampling, or without sampling.

E(x) is the energy, under the model that an objective belongs to, of examples on the networks' scale. Each objective
holds its state between steps: chains, a noise distribution, the logarithm of the partition function.
"""

import keras
import numpy as np
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks, seeds
from keras_gen.energy.base import Rows

tfd = tfp.distributions


class Objective(keras.layers.Layer):
    """What training minimises.

    A subclass provides `terms` and `loss_terms`.

    Args:
        event_shape: shape of an example.
        num_classes: number of classes whose densities are learned, each with its own energy; 1 for one density.
        start: function from a shape to the initial states of chains, as a NumPy array.
        **kwargs: as in `keras.layers.Layer`.
    """

    #: Names of the tensors that `loss_terms` returns.
    terms: tuple[str, ...] = ("loss",)

    def __init__(self, event_shape: tuple[int, ...], num_classes: int, start, **kwargs):
        super().__init__(**kwargs)
        self.event_shape = event_shape
        self.num_classes = num_classes

    def loss_terms(self, model, x: tf.Tensor, label: tf.Tensor | None, step) -> dict[str, tf.Tensor]:
        """Returns the `terms`, each of shape `(batch,)` or a scalar.

        Args:
            model: the model, for its `energies`, `gradients` and `dynamics`.
            x: scaled examples of shape `(batch, *event_shape)`.
            label: their classes, or None.
            step: the step.
        """
        raise NotImplementedError

    def adapt(self, x: np.ndarray) -> None:
        """Fits what the objective stores about the data to scaled examples; most objectives store nothing."""


class MaximumLikelihood(Objective):
    r"""The likelihood, whose gradient needs draws from the model (Du and Mordatch, 2019).

    $$\nabla \log p(x) = -\nabla E(x) + E_{\tilde x ∼ p}[\nabla E(\tilde x)]$$
    $$L = E(x) - E(\tilde x) + α (E(x)^2 + E(\tilde x)^2)$$

    Draws x̃ are persistent chains (Tieleman, 2008), kept in a buffer. A step picks as many of them at random as the
    batch has examples, with the same classes, restarts a fraction of them, moves all by `num_steps` steps of the
    model's Langevin dynamics, and puts them back. A chain that is no longer finite is also restarted. No gradient flows
    through the moves. An evaluation uses the chains unchanged.

    The logs contain the mean energies of the data and of the chains. The loss is not a figure of merit: it is near 0 as
    long as both are similar.

    Args:
        event_shape: as in `Objective`.
        num_classes: as in `Objective`; the buffer holds equally many chains of each.
        start: as in `Objective`.
        num_steps: number of Langevin steps of a chain in each training step.
        buffer_size: number of chains in the buffer.
        fresh_share: fraction of chains that are restarted.
        alpha: weight α of the squared energies, which keeps energies near 0.
        data_noise: standard deviation of normal noise added to the data, on the networks' scale.
        **kwargs: as in `keras.layers.Layer`.
    """

    terms = ("loss", "energy", "chain_energy")

    def __init__(
        self,
        event_shape,
        num_classes,
        start,
        *,
        num_steps: int = 60,
        buffer_size: int = 8192,
        fresh_share: float = 0.05,
        alpha: float = 0.1,
        data_noise: float = 0.005,
        **kwargs,
    ):
        super().__init__(event_shape, num_classes, start, **kwargs)
        self.num_steps = checks.positive_int("num_steps", num_steps)
        self.chains_per_class = checks.positive_int("buffer_size", buffer_size) // num_classes
        if not self.chains_per_class:
            raise ValueError(
                f"`buffer_size` must be at least the number of classes, {num_classes}; received {buffer_size}."
            )
        self.fresh_share = checks.share("fresh_share", fresh_share)
        self.alpha = checks.not_negative("alpha", alpha)
        self.data_noise = checks.not_negative("data_noise", data_noise)
        # The chains are grouped by class.
        self.chains = self.add_weight(
            shape=(num_classes * self.chains_per_class, *event_shape),
            initializer=lambda shape, dtype: tf.constant(start(shape), dtype),
            trainable=False,
            autocast=False,
            name="chains",
            aggregation="only_first_replica",
        )

    def loss_terms(self, model, x, label, step):
        for_data, for_places, for_fresh, for_moves = step.split(4)
        rows = Rows.of_batch(tf.shape(x)[0])
        energy = model.energies(x + self.data_noise * rows.normal(self.event_shape, for_data.seed), label, step)
        everyones = step.gather(tf.zeros((rows.size,), tf.int32) if label is None else label)
        places, first = self.places(everyones, for_places.seed)
        chains = tf.gather(self.chains.value, rows.own(places))
        if step.training:
            chains = self.moved(model, chains, label, rows, for_fresh.seed, for_moves.seed)
            step.update(self.chains, self.put_back(step.gather(chains), places, first))
        chain_energy = model.energies(chains, label, step)
        loss = energy - chain_energy + self.alpha * (energy**2 + chain_energy**2)
        return {"loss": loss, "energy": energy, "chain_energy": chain_energy}

    def places(self, label: tf.Tensor, seed: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        """Draws the chains that examples are compared with.

        Args:
            label: classes of the global batch, int32 of shape `(total,)`.
            seed: int32 tensor of shape (2,).

        Returns:
            The row of each example's chain, and whether the example is the first one with that chain: if a class has
            more examples than chains, examples share chains.
        """
        members = tf.one_hot(label, self.num_classes)
        rank = tf.cast(tf.reduce_sum(members * tf.cumsum(members, exclusive=True), axis=-1), tf.int32)
        order = tf.argsort(seeds.uniform((self.num_classes, self.chains_per_class), seed), axis=-1)
        place = tf.gather_nd(order, tf.stack([label, rank % self.chains_per_class], axis=-1))
        return label * self.chains_per_class + place, rank < self.chains_per_class

    def moved(self, model, chains, label, rows: Rows, fresh_seed, move_seed) -> tf.Tensor:
        """Returns the chains of this replica after their Langevin steps, some of them restarted."""
        choice_seed, start_seed = tf.unstack(tf.random.split(fresh_seed, 2))
        fresh = rows.own(model.start(rows.total, start_seed))
        is_fresh = rows.uniform((), choice_seed) < self.fresh_share
        chains = tf.where(self.per_row(is_fresh), fresh, chains)
        chains = model.dynamics(chains, label, rows, self.num_steps, model.step_size, move_seed)
        finite = tf.reduce_all(tf.math.is_finite(tf.reshape(chains, (-1, model.event_size))), axis=-1)
        return tf.stop_gradient(tf.where(self.per_row(finite), chains, fresh))

    def per_row(self, values: tf.Tensor) -> tf.Tensor:
        """Returns one value for each chain in a shape that broadcasts with chains."""
        return tf.reshape(values, (-1, *[1] * len(self.event_shape)))

    def put_back(self, moved: tf.Tensor, places: tf.Tensor, first: tf.Tensor) -> tf.Tensor:
        """Returns the buffer with the moved chains of the global batch in the rows that `places` returned."""
        buffer = self.chains.value
        # The others go to an extra row, which is removed again.
        places = tf.where(first, places, tf.shape(buffer)[0])[:, tf.newaxis]
        return tf.tensor_scatter_nd_update(tf.concat([buffer, buffer[:1]], axis=0), places, moved)[:-1]


class DenoisingScoreMatching(Objective):
    r"""The score of noisy data, without sampling (Vincent, 2011).

    $$\tilde x = x + σ ε, \quad ε ∼ N(0, I), \qquad L = \tfrac{1}{2} ‖σ \nabla E(\tilde x) - ε‖^2$$

    At the minimum over all energies, -∇E is the score of the noisy data's density, p(x) * N(0, σ² I).

    Args:
        event_shape: as in `Objective`.
        num_classes: as in `Objective`.
        start: as in `Objective`.
        noise_scale: σ, on the networks' scale.
        **kwargs: as in `keras.layers.Layer`.
    """

    def __init__(self, event_shape, num_classes, start, *, noise_scale: float = 0.3, **kwargs):
        super().__init__(event_shape, num_classes, start, **kwargs)
        self.noise_scale = checks.positive("noise_scale", noise_scale)

    def loss_terms(self, model, x, label, step):
        noise = Rows.of_batch(tf.shape(x)[0]).normal(self.event_shape, step.seed)
        gradient = model.gradients(x + self.noise_scale * noise, label, step)
        squares = tf.reshape((self.noise_scale * gradient - noise) ** 2, (-1, model.event_size))
        return {"loss": 0.5 * tf.reduce_sum(squares, axis=-1)}


class NoiseContrastive(Objective):
    r"""A classifier that distinguishes data from noise with a known density q (Gutmann and Hyvärinen, 2010).

    $$G(x) = -E(x) - c - \log q(x)$$
    $$L = -\log σ(G(x) - \log ν) - \sum_{i=1}^{ν} \log(1 - σ(G(\tilde x_i) - \log ν)), \qquad \tilde x_i ∼ q$$

    c is learned along with the energy. At the minimum over both, -E(x) - c is the log-density of the data, so c
    estimates log Z. q is a Gaussian that `adapt` fits to the data, initially N(0, I).

    The logs also contain "accuracy", the fraction of data and noise that is classified correctly, and c as
    "log_normalizer", in nats, averaged over the batch if each class has its own.

    Args:
        event_shape: as in `Objective`.
        num_classes: as in `Objective`.
        start: as in `Objective`.
        covariance: "full", or "diagonal" for independent entries.
        noise_ratio: ν, the number of noise draws for each example.
        data_noise: standard deviation of normal noise added to the data, on the networks' scale.
        **kwargs: as in `keras.layers.Layer`.
    """

    terms = ("loss", "accuracy", "log_normalizer")

    def __init__(
        self,
        event_shape,
        num_classes,
        start,
        *,
        covariance: str = "full",
        noise_ratio: int = 1,
        data_noise: float = 0.0,
        **kwargs,
    ):
        super().__init__(event_shape, num_classes, start, **kwargs)
        self.covariance = checks.choice("covariance", covariance, ("full", "diagonal"))
        self.noise_ratio = checks.positive_int("noise_ratio", noise_ratio)
        self.data_noise = checks.not_negative("data_noise", data_noise)
        size, options = int(np.prod(event_shape)), {"autocast": False, "trainable": False}
        self.location = self.add_weight(shape=(size,), initializer="zeros", name="location", **options)
        self.scale = self.add_weight(
            shape=(size, size) if covariance == "full" else (size,),
            initializer=keras.initializers.Identity() if covariance == "full" else "ones",
            name="scale",
            **options,
        )
        self.log_normalizer = self.add_weight(
            shape=(num_classes,), initializer="zeros", name="log_normalizer", autocast=False
        )

    def noise_distribution(self) -> tfd.Distribution:
        """Returns q, over flat examples."""
        location, scale = tf.convert_to_tensor(self.location.value), tf.convert_to_tensor(self.scale.value)
        if self.covariance == "full":
            return tfd.MultivariateNormalTriL(location, scale)
        return tfd.MultivariateNormalDiag(location, scale)

    def adapt(self, x):
        flat = np.asarray(x, np.float64).reshape(len(x), -1)
        deviation = flat.std(axis=0)
        if np.any(deviation == 0.0):
            raise ValueError(
                f"`x` must vary in every entry; entry {int(np.argmin(deviation))} is the same in all rows."
            )
        self.location.assign(flat.mean(axis=0))
        if self.covariance == "full":
            deviation = np.linalg.cholesky(np.atleast_2d(np.cov(flat, rowvar=False, bias=True)))
        self.scale.assign(deviation)

    def loss_terms(self, model, x, label, step):
        for_data, for_noise = step.split(2)
        rows, flat, distribution = Rows.of_batch(tf.shape(x)[0]), (-1, model.event_size), self.noise_distribution()
        x += self.data_noise * rows.normal(self.event_shape, for_data.seed)
        # Of shape (batch, ν, entries): each example has its own draws.
        noise = rows.own(distribution.sample((rows.total, self.noise_ratio), for_noise.seed))
        noise_label = None if label is None else tf.repeat(label, self.noise_ratio)

        def logits(flat_x, label):
            """Returns G(x) - log ν and c."""
            classes = tf.zeros((tf.shape(flat_x)[0],), tf.int32) if label is None else label
            constant = tf.gather(self.log_normalizer.value, classes)
            log_density = -model.energies(tf.reshape(flat_x, (-1, *self.event_shape)), label, step) - constant
            return log_density - distribution.log_prob(flat_x) - np.log(self.noise_ratio), constant

        of_data, constant = logits(tf.reshape(x, flat), label)
        of_noise = tf.reshape(logits(tf.reshape(noise, flat), noise_label)[0], (-1, self.noise_ratio))
        right = tf.cast(of_data > 0.0, tf.float32) + tf.reduce_sum(tf.cast(of_noise < 0.0, tf.float32), axis=-1)
        return {
            "loss": tf.nn.softplus(-of_data) + tf.reduce_sum(tf.nn.softplus(of_noise), axis=-1),
            "accuracy": right / (1.0 + self.noise_ratio),
            "log_normalizer": constant,
        }


#: The objectives that can be chosen by name.
OBJECTIVES = {
    "maximum_likelihood": MaximumLikelihood,
    "denoising_score_matching": DenoisingScoreMatching,
    "noise_contrastive": NoiseContrastive,
}
