"""The peer of `vae_step.py`: training steps of pythae, in an interpreter that has PyTorch and pythae.

It reads lines "num_samples batch_size repetitions" and answers each with the shortest time of a step, in seconds.
"""

import sys

import torch
from pythae.models import IWAE, VAE, IWAEConfig, VAEConfig
from pythae.models.base.base_utils import ModelOutput
from pythae.models.nn import BaseDecoder, BaseEncoder
from torch_steps import best_seconds

SIZE, UNITS, LATENT_SIZE = 784, 200, 50


class Encoder(BaseEncoder):
    """Two hidden layers, then mean and log variance from one product."""

    def __init__(self):
        super().__init__()
        layer, silu = torch.nn.Linear, torch.nn.SiLU
        self.network = torch.nn.Sequential(
            layer(SIZE, UNITS), silu(), layer(UNITS, UNITS), silu(), layer(UNITS, 2 * LATENT_SIZE)
        )

    def forward(self, x):
        mean, log_variance = self.network(x).chunk(2, dim=-1)
        return ModelOutput(embedding=mean, log_covariance=log_variance)


class Decoder(BaseDecoder):
    """The mirror of the encoder; pythae expects probabilities."""

    def __init__(self):
        super().__init__()
        layer, silu = torch.nn.Linear, torch.nn.SiLU
        self.network = torch.nn.Sequential(
            layer(LATENT_SIZE, UNITS), silu(), layer(UNITS, UNITS), silu(), layer(UNITS, SIZE), torch.nn.Sigmoid()
        )

    def forward(self, z):
        return ModelOutput(reconstruction=self.network(z))


def make(num_samples: int) -> torch.nn.Module:
    """Returns a VAE for one sample, otherwise an IWAE."""
    arguments = {"input_dim": (SIZE,), "latent_dim": LATENT_SIZE, "reconstruction_loss": "bce"}
    if num_samples == 1:
        return VAE(VAEConfig(**arguments), encoder=Encoder(), decoder=Decoder())
    return IWAE(IWAEConfig(number_samples=num_samples, **arguments), encoder=Encoder(), decoder=Decoder())


def main():
    """Answers lines until the input ends."""
    models = {}
    for line in sys.stdin:
        num_samples, batch_size, repetitions = map(int, line.split())
        if num_samples not in models:
            model = make(num_samples)
            models[num_samples] = model, torch.optim.Adam(model.parameters(), 1e-3, fused=True)
        model, optimizer = models[num_samples]
        x = (torch.rand(batch_size, SIZE) < 0.13).float()

        def step(model=model, optimizer=optimizer, x=x):
            optimizer.zero_grad()
            model({"data": x}).loss.backward()
            optimizer.step()

        print(best_seconds(step, repetitions), flush=True)


if __name__ == "__main__":
    main()
