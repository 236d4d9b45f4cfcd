"""WaveGAN: Adversarial Audio Synthesis.

Chris Donahue, Julian McAuley, Miller Puckette (2019), https://arxiv.org/abs/1802.04208
"""

import keras

from keras_gen import checks
from keras_gen.adversarial.base import AdversarialModel
from keras_gen.spaces import Sound


class WaveGAN(AdversarialModel):
    r"""DCGAN for sound: convolutions of 25 samples with stride 4, and a Wasserstein critic that cannot hear the phase.

    $$z ∼ U(-1, 1)^{latent\_size}, \qquad x = \tanh(\text{generator}(z)) ∈ [-1, 1]^T$$
    $$L_D = D(G(z)) - D(x) + λ (‖∇_{\hat x} D(\hat x)‖_2 - 1)^2, \qquad L_G = -D(G(z))$$
    $$\hat x = ε x + (1 - ε) G(z), \qquad ε ∼ U(0, 1), \qquad λ = 10$$

    Transposed convolutions leave an artificial tone, always in the same phase, by which a critic could recognise
    generated sound. So after each layer of D except the last, phase shuffle shifts the features of a batch by a number
    of samples, drawn anew for each layer and each pass from -n..n; the gap is filled by reflection.

    G projects z to 16 samples, and each layer has four times as many, at half the channels; D mirrors it. The number of
    layers follows the length: four for 4,096 samples, five for the paper's 16,384, and six for 65,536. If the length is
    not 16 times a power of 4, the layers next to z have stride 2 or round up. There is no normalization. A class is
    appended to z as a one-hot vector, and to the sound that D hears as one channel for each class.

    Example:

    ```python
    model = keras_gen.adversarial.WaveGAN((16384,), sample_rate=16_000)
    model.compile()                                        # the paper's Adam for both players
    model.fit(x_train, batch_size=64, epochs=10)           # x_train holds amplitudes from -1 to 1
    model.sample(4, seed=0)
    ```

    Args:
        event_shape: (samples,) of a sound.
        base_filters: d, the channels at a quarter of the length; the paper's 64.
        phase_shuffle: n, which is 2 in the paper; 0 for no phase shuffle.
        sample_rate: sampling rate in hertz, with which sounds are drawn and written; None if it is unknown.
        latent_size: length of z.
        objective: as in `AdversarialModel`.
        regularizers: by default the gradient penalty with λ = 10.
        discriminator_steps: number of steps of D, each with its own batch, for each step of G.
        **kwargs: as in `AdversarialModel`, except the networks and levels.
    """

    has_unit = False

    def __init__(
        self,
        event_shape,
        *,
        base_filters: int = 64,
        phase_shuffle: int = 2,
        sample_rate: int | None = None,
        latent_size: int = 100,
        objective="wasserstein",
        regularizers=("gradient_penalty",),
        discriminator_steps: int = 5,
        **kwargs,
    ):
        self.base_filters = base_filters
        self.phase_shuffle = phase_shuffle
        self.sample_rate = None if sample_rate is None else checks.positive_int("sample_rate", sample_rate)
        network = {"name": "waveform", "base_filters": base_filters}
        super().__init__(
            event_shape,
            None,
            latent_size=latent_size,
            objective=objective,
            regularizers=regularizers,
            discriminator_steps=discriminator_steps,
            **{
                "generator_network": network,
                "discriminator_network": {**network, "phase_shuffle": phase_shuffle},
                **kwargs,
            },
        )

    @property
    def event_space(self):
        return Sound(self.event_shape, sample_rate=self.sample_rate)

    def default_optimizers(self):
        """Adam with learning rate 1e-4, beta_1 0.5 and beta_2 0.9."""
        return {player: keras.optimizers.Adam(1e-4, 0.5, 0.9) for player in ("generator", "discriminator")}
