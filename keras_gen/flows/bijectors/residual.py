"""Bijectors that add a function of few numbers to their input: planar, radial and Sylvester flows."""

import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen.layers.loops import block_loop
from keras_gen.layers.triangular import filled_triangle

tfb = tfp.bijectors

#: Number of steps of Newton's method after which the root no longer improves in float32, for slopes from 1e-7 to 1e5.
NEWTON_STEPS = 16

#: Bound on the diagonals of R and R̃: a tanh may be rounded to 1, and f would then not be invertible.
MAX_DIAGONAL = 0.999


class Planar(tfb.Bijector):
    r"""Pushes points towards or away from a plane (Rezende and Mohamed, 2015, https://arxiv.org/abs/1505.05770).

    $$f(z) = z + \hat u \tanh(w^\top z + b)$$
    $$\log |\det f'(z)| = \log |1 + \hat u^\top w\, (1 - \tanh^2(w^\top z + b))|$$
    $$\hat u = u + (\operatorname{softplus}(w^\top u) - 1 - w^\top u) \frac{w}{\|w\|^2}$$

    The last line makes $w^\top \hat u > -1$, so that f is invertible: with $z' = f(z)$ and $y = w^\top z + b$,

    $$y + w^\top \hat u \tanh y = w^\top z' + b, \qquad z = z' - \hat u \tanh y$$

    where the left side is an increasing function of y.

    Args:
        u: direction, of shape `(..., size)`.
        w: normal of the plane, of shape `(..., size)`.
        b: offset, of shape `(...)`.
    """

    def __init__(self, u: tf.Tensor, w: tf.Tensor, b: tf.Tensor, name: str = "planar"):
        parameters = dict(locals())
        inner = tf.reduce_sum(w * u, axis=-1, keepdims=True)
        square = tf.reduce_sum(tf.square(w), axis=-1, keepdims=True)
        # Without a plane (w = 0), there is nothing to correct.
        self.u = u + (tf.nn.softplus(inner) - 1.0 - inner) * tf.math.divide_no_nan(w, square)
        #: 1 + w·û, which keeps more digits than w·û if the latter is close to -1.
        self.slope = tf.where(square > 0.0, tf.nn.softplus(inner), 1.0)[..., 0]
        self.w = w
        self.b = b
        super().__init__(forward_min_event_ndims=1, validate_args=False, parameters=parameters, name=name)

    @staticmethod
    def num_parameters(size: int) -> int:
        """Returns the number of parameters that `from_parameters` takes."""
        return 2 * size + 1

    @classmethod
    def from_parameters(cls, parameters: tf.Tensor) -> "Planar":
        """Returns the bijector for any real numbers, of shape `(..., num_parameters)`: u, w and b."""
        u, w = tf.split(parameters[..., :-1], 2, axis=-1)
        return cls(u, w, parameters[..., -1])

    def _forward(self, z):
        return z + self.u * tf.tanh(self.height(z))[..., tf.newaxis]

    def _forward_log_det_jacobian(self, z):
        return tf.math.log(tanh_slope(tf.tanh(self.height(z)), self.slope))

    def _inverse(self, x):
        return x - self.u * tf.tanh(tanh_root(self.height(x), self.slope))[..., tf.newaxis]

    def height(self, z: tf.Tensor) -> tf.Tensor:
        return tf.reduce_sum(self.w * z, axis=-1) + self.b

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        vector = tfp.util.ParameterProperties(event_ndims=1)
        return {"u": vector, "w": vector, "b": tfp.util.ParameterProperties(event_ndims=0)}


class Radial(tfb.Bijector):
    r"""Pulls points towards a centre or pushes them away (Rezende and Mohamed, 2015, equation 14).

    $$f(z) = z + \hat β h(α, r) (z - z_0), \qquad h(α, r) = \frac{1}{α + r}, \quad r = \|z - z_0\|$$
    $$\log |\det f'(z)| = (D - 1) \log(1 + \hat β h(α, r)) + \log(1 + \hat β h(α, r) + \hat β h'(α, r) r)$$
    $$\hat β = -α + \operatorname{softplus}(β)$$

    The last line makes $\hat β > -α$, so that f is invertible: the distance of f(z) from the centre is
    $r (1 + \hat β h(α, r))$, which makes r the root of a quadratic.

    Args:
        centre: z_0, of shape `(..., size)`.
        alpha: positive numbers of shape `(...)`.
        beta: numbers of shape `(...)`.
    """

    def __init__(self, centre: tf.Tensor, alpha: tf.Tensor, beta: tf.Tensor, name: str = "radial"):
        parameters = dict(locals())
        self.centre = centre
        self.alpha = alpha
        #: α + β̂, so that 1 + β̂ h = (reach + r) / (α + r).
        self.reach = tf.nn.softplus(beta)
        super().__init__(forward_min_event_ndims=1, validate_args=False, parameters=parameters, name=name)

    @staticmethod
    def num_parameters(size: int) -> int:
        """Returns the number of parameters that `from_parameters` takes."""
        return size + 2

    @classmethod
    def from_parameters(cls, parameters: tf.Tensor) -> "Radial":
        """Returns the bijector for any real numbers, of shape `(..., num_parameters)`: z_0, softplus⁻¹(α) and β."""
        return cls(parameters[..., :-2], tf.nn.softplus(parameters[..., -2]), parameters[..., -1])

    def _forward(self, z):
        r = self.distance(z)
        return self.centre + (z - self.centre) * ((self.reach + r) / (self.alpha + r))[..., tf.newaxis]

    def _forward_log_det_jacobian(self, z):
        r = self.distance(z)
        log_sum = tf.math.log(self.alpha + r)
        # 1 + β̂ h + β̂ h' r over a common denominator; no term is negative.
        along = tf.math.log(tf.square(r) + self.alpha * (2.0 * r + self.reach)) - 2.0 * log_sum
        return (z.shape[-1] - 1) * (tf.math.log(self.reach + r) - log_sum) + along

    def _inverse(self, x):
        distance = self.distance(x)
        # The root of r² + p r - α·distance = 0, in the form whose terms all have the same sign.
        p, product = self.reach - distance, self.alpha * distance
        half = 0.5 * (tf.abs(p) + tf.sqrt(tf.square(p) + 4.0 * product))
        r = tf.where(p > 0.0, product / half, half)
        return self.centre + (x - self.centre) * ((self.alpha + r) / (self.reach + r))[..., tf.newaxis]

    def distance(self, z: tf.Tensor) -> tf.Tensor:
        """Returns the distance from the centre; at the centre its gradient is 0."""
        return tf.sqrt(tf.maximum(tf.reduce_sum(tf.square(z - self.centre), axis=-1), 1e-20))

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        scalar = tfp.util.ParameterProperties(event_ndims=0)
        return {"centre": tfp.util.ParameterProperties(event_ndims=1), "alpha": scalar, "beta": scalar}


class Sylvester(tfb.Bijector):
    r"""Adds a layer of D hidden units (van den Berg et al., 2018, https://arxiv.org/abs/1803.05649).

    $$f(z) = z + Q R \tanh(\tilde R Q^\top z + b), \qquad Q = H_1 ⋯ H_H, \quad
      H_k = I - 2 \frac{v_k v_k^\top}{\|v_k\|^2}$$
    $$\log |\det f'(z)| = \sum_i \log |1 + R_{ii} \tilde R_{ii} (1 - \tanh^2(\tilde R Q^\top z + b)_i)|$$

    R and $\tilde R$ are upper triangular and Q is a product of Householder reflections (section 4.2 of the paper).
    If $R_{ii} \tilde R_{ii} > -1$, f is invertible: from the last entry to the first, each entry of $Q^\top z$ is the
    root of an increasing function of one number, as in `Planar`.

    Args:
        reflections: v_1 to v_H, of shape `(..., H, size)`.
        outer: R, of shape `(..., size, size)`.
        inner: R̃, of shape `(..., size, size)`; the product of its diagonal and that of R is above -1.
        b: offsets, of shape `(..., size)`.
    """

    def __init__(self, reflections: tf.Tensor, outer: tf.Tensor, inner: tf.Tensor, b: tf.Tensor, name="sylvester"):
        parameters = dict(locals())
        self.reflections = reflections
        self.outer = outer
        self.inner = inner
        self.b = b
        identity = tf.eye(b.shape[-1])
        self.outer_diagonal = tf.reduce_sum(outer * identity, axis=-1)
        self.inner_diagonal = tf.reduce_sum(inner * identity, axis=-1)
        self.slope = 1.0 + self.outer_diagonal * self.inner_diagonal
        super().__init__(forward_min_event_ndims=1, validate_args=False, parameters=parameters, name=name)

    @staticmethod
    def num_parameters(size: int, num_reflections: int) -> int:
        """Returns the number of parameters that `from_parameters` takes."""
        return (num_reflections + 1) * size + size * (size + 1)

    @classmethod
    def from_parameters(cls, parameters: tf.Tensor, size: int, num_reflections: int) -> "Sylvester":
        """Returns the bijector for any real numbers.

        Args:
            parameters: tensor of shape `(..., num_parameters)`: b, the diagonals of R and R̃ before a tanh, the entries
                above these, and v_1 to v_H.
            size: D.
            num_reflections: H.
        """
        above = size * (size - 1) // 2
        b, *diagonals, outer, inner, vectors = tf.split(
            parameters, [size, size, size, above, above, num_reflections * size], axis=-1
        )
        outer, inner = (
            filled_triangle(MAX_DIAGONAL * tf.tanh(diagonal), others, upper=True)
            for diagonal, others in zip(diagonals, (outer, inner), strict=True)
        )
        reflections = tf.stack(tf.split(vectors, num_reflections, axis=-1), axis=-2)
        return cls(reflections, outer, inner, b)

    def _forward(self, z):
        return z + self.rotated(tf.linalg.matvec(self.outer, tf.tanh(self.heights(self.rotated_back(z)))))

    def _forward_log_det_jacobian(self, z):
        tanh = tf.tanh(self.heights(self.rotated_back(z)))
        return tf.reduce_sum(tf.math.log(tanh_slope(tanh, self.slope)), axis=-1)

    def _inverse(self, x):
        x = self.rotated_back(x)

        def solve(index, z, tanh):
            """Finds one entry of Qᵀz and of the tanh; those after it are known, and those before it are still 0."""
            outer, inner = (tf.gather(matrix, index, axis=-2) for matrix in (self.outer, self.inner))
            outer_diagonal, inner_diagonal, slope, known, offset = (
                tf.gather(vector, index, axis=-1)
                for vector in (self.outer_diagonal, self.inner_diagonal, self.slope, x, self.b)
            )
            rest = known - tf.reduce_sum(outer * tanh, axis=-1)
            offset += tf.reduce_sum(inner * z, axis=-1)
            root = tf.tanh(tanh_root(inner_diagonal * rest + offset, slope))
            place = tf.one_hot(index, x.shape[-1])
            z += place * (rest - outer_diagonal * root)[..., tf.newaxis]
            return z, tanh + place * root[..., tf.newaxis]

        z, _ = block_loop(x.shape[-1], solve, (tf.zeros_like(x), tf.zeros_like(x)), backwards=True)
        return self.rotated(z)

    def heights(self, z: tf.Tensor) -> tf.Tensor:
        return tf.linalg.matvec(self.inner, z) + self.b

    def rotated(self, z: tf.Tensor) -> tf.Tensor:
        """Returns Q z."""
        for index in reversed(range(self.reflections.shape[-2])):
            z = reflected(z, self.reflections[..., index, :])
        return z

    def rotated_back(self, z: tf.Tensor) -> tf.Tensor:
        """Returns Qᵀ z."""
        for index in range(self.reflections.shape[-2]):
            z = reflected(z, self.reflections[..., index, :])
        return z

    @classmethod
    def _parameter_properties(cls, dtype, num_classes=None):
        ranks = {"reflections": 2, "outer": 2, "inner": 2, "b": 1}
        return {name: tfp.util.ParameterProperties(event_ndims=rank) for name, rank in ranks.items()}


def reflected(z: tf.Tensor, v: tf.Tensor) -> tf.Tensor:
    """Returns z reflected in the plane through the origin with normal v; z itself for v = 0."""
    along = tf.reduce_sum(z * v, axis=-1, keepdims=True)
    return z - 2.0 * v * tf.math.divide_no_nan(along, tf.reduce_sum(tf.square(v), axis=-1, keepdims=True))


def tanh_slope(tanh: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Returns the derivative of y + (slope - 1) tanh y, which is positive, given tanh y."""
    return slope * (1.0 - tf.square(tanh)) + tf.square(tanh)


def tanh_root(target: tf.Tensor, slope: tf.Tensor) -> tf.Tensor:
    """Solves y + (slope - 1) tanh y = target for y, with exact first-order gradients.

    The left side is odd and, for positive y, concave if its slope at 0 is above 1 and convex if it is below. Newton's
    method therefore approaches the root from one side, and never overshoots if it starts on that side.

    Args:
        target: numbers of any shape.
        slope: positive numbers of a shape that broadcasts with the target: the derivative of the left side at 0.
    """
    distance, fixed = tf.abs(tf.stop_gradient(target)), tf.stop_gradient(slope)
    # Bounds on the root: one from tanh y ≤ 1, the other from tanh y ≤ y.
    bounds = distance - (fixed - 1.0), distance / tf.maximum(fixed, 1e-30)
    start = tf.where(fixed > 1.0, tf.maximum(*bounds), tf.minimum(*bounds))

    def step(_, y):
        tanh = tf.tanh(y)
        excess = y + (fixed - 1.0) * tanh - distance
        return (y - excess / tf.maximum(tanh_slope(tanh, fixed), 1e-7),)

    (y,) = block_loop(NEWTON_STEPS, step, (start,))
    y = tf.stop_gradient(tf.sign(target) * y)
    # The gradients flow through one final step.
    tanh = tf.tanh(y)
    derivative = tf.maximum(tanh_slope(tanh, fixed), 1e-7)
    return y - (y + (slope - 1.0) * tanh - target) / derivative
