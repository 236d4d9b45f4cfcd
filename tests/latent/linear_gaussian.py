"""A linear VAE whose evidence and posterior are known."""

import numpy as np
import tensorflow_probability as tfp

from keras_gen.latent import VAE, posteriors

tfd = tfp.distributions

X = np.array([[0.0, 0.0, 0.0], [1.0, -1.0, 2.0], [-2.0, 0.5, 1.0]], np.float32)


class LinearGaussian:
    """x = W z + b + σ ε as a VAE without hidden layers, and what is known of it in closed form.

    Args:
        exact_posterior: whether the encoder gives the exact posterior, rather than one that is somewhat off.
        model_class: class of the model.
        **arguments: further arguments of the model.
    """

    def __init__(self, *, exact_posterior: bool, model_class=VAE, **arguments):
        # The columns of W are orthogonal, so that the posterior is diagonal.
        self.weights = np.array([[1.0, 0.5], [-1.0, 0.5], [0.5, 0.0]])
        self.bias = np.array([0.3, -0.2, 1.0])
        self.scale = 0.7
        covariance = np.linalg.inv(np.eye(2) + self.weights.T @ self.weights / self.scale**2)
        gain = covariance @ self.weights.T / self.scale**2
        deviation = np.sqrt(np.diag(covariance))
        if not exact_posterior:
            gain, deviation = 0.8 * gain, 1.3 * deviation

        self.model = model_class((3,), latent_size=2, levels=None, hidden_units=(), **arguments)
        encoder_kernel, encoder_bias = np.zeros((3, 4)), np.zeros(4)
        encoder_kernel[:, :2] = gain.T
        encoder_bias[:2], encoder_bias[2:] = -gain @ self.bias, inverse_softplus(deviation)
        self.model.encoder.set_weights([encoder_kernel, encoder_bias])
        # The parameters of one entry, mean and scale, are neighbours.
        decoder_kernel, decoder_bias = np.zeros((2, 3, 2)), np.zeros((3, 2))
        decoder_kernel[..., 0] = self.weights.T
        decoder_bias[:, 0], decoder_bias[:, 1] = self.bias, inverse_softplus(self.scale)
        self.model.decoder.set_weights([decoder_kernel.reshape(2, 6), decoder_bias.reshape(6)])

        covariance = self.weights @ self.weights.T + self.scale**2 * np.eye(3)
        self.marginal = tfd.MultivariateNormalFullCovariance(self.bias, covariance)

    def evidence(self, x):
        return self.marginal.log_prob(np.asarray(x, np.float64)).numpy()


def inverse_softplus(scale):
    return np.log(np.expm1(np.asarray(scale) - posteriors.MIN_SCALE))
