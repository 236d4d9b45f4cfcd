"""Sylvester normalizing flows.

Sylvester Normalizing Flows for Variational Inference. Rianne van den Berg, Leonard Hasenclever, Jakub M. Tomczak, Max
Welling (2018), https://arxiv.org/abs/1803.05649
"""

import numpy as np
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.flows.bijectors import Sylvester
from keras_gen.flows.planar import PlanarFlow

tfb = tfp.bijectors


class SylvesterFlow(PlanarFlow):
    r"""Functions from noise to data with as many hidden units as entries (equation 7, and section 4.2, of the paper).

    $$x = f_K ∘ … ∘ f_1(z_0), \qquad f_k(z) = z + Q_k R_k \tanh(\tilde R_k Q_k^\top z + b_k)$$
    $$\log p(x) = \log p_Z(z_0) - \sum_k \log |\det(I + \mathrm{diag}(\tanh'(\tilde R_k Q_k^\top z_{k-1} + b_k))
      \tilde R_k R_k)|$$

    $R_k$ and $\tilde R_k$ are upper triangular, so the determinant is a product, and $Q_k$ is a product of Householder
    reflections. A planar function has one hidden unit, a Sylvester function one for each entry. The density of data
    needs the inverse, which is found entry by entry. If there is a condition, all parameters are affine functions of
    it. The flow starts near the identity.

    Example:

    ```python
    model = keras_gen.flows.SylvesterFlow((8,), num_layers=4)
    model.compile(keras.optimizers.Adam(1e-3), jit_compile=True)
    model.adapt(x_train)                                   # real vectors of shape (rows, 8)
    model.fit(x_train, batch_size=256, epochs=50)
    model.log_prob(x_test)                                 # nats
    ```

    Args:
        event_shape: shape of one example.
        num_layers: K, the number of functions.
        num_reflections: number of reflections in each $Q_k$; None uses as many as an example has entries, enough for
            any rotation.
        seed: as in `FlowModel`.
        **kwargs: as in `FlowModel`.
    """

    def __init__(
        self, event_shape, num_layers: int = 4, *, num_reflections: int | None = None, seed: int = 0, **kwargs
    ):
        if num_reflections is not None:
            checks.positive_int("num_reflections", num_reflections)
        self.num_reflections = num_reflections
        super().__init__(event_shape, num_layers, seed=seed, **kwargs)

    # Primitives

    @property
    def reflections(self) -> int:
        """The number of reflections in each Q."""
        return self.event_size if self.num_reflections is None else self.num_reflections

    def first_parameters(self, random):
        size = self.event_size
        above = size * (size - 1) // 2
        b, inner_diagonal = random.standard_normal((2, size))
        # R starts close to 0, and f close to the identity.
        outer_diagonal, outer = 0.01 * random.standard_normal(size), 0.01 * random.standard_normal(above)
        inner = random.standard_normal(above) / size**0.5
        vectors = random.standard_normal(self.reflections * size)
        return np.concatenate([b, outer_diagonal, inner_diagonal, outer, inner, vectors])

    def layer(self, parameters):
        return Sylvester.from_parameters(parameters, self.event_size, self.reflections)
