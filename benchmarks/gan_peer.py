"""The peer of `gan_step.py`: the same nets and steps in plain PyTorch, in an interpreter that has it.

It reads lines "dcgan repetitions" or "wgan_gp repetitions" and answers each with the shortest time of a step, in
seconds: for DCGAN, a step of both players; for WGAN-GP, one of the critic.
"""

import sys

import torch
from torch import nn
from torch.nn import functional
from torch_steps import best_seconds

BATCH, LATENT_SIZE = 64, 100


def generator() -> nn.Module:
    return nn.Sequential(
        nn.Linear(LATENT_SIZE, 128 * 7 * 7, bias=False),
        nn.Unflatten(1, (128, 7, 7)),
        nn.BatchNorm2d(128),
        nn.ReLU(),
        nn.ConvTranspose2d(128, 64, 5, 2, 2, output_padding=1, bias=False),
        nn.BatchNorm2d(64),
        nn.ReLU(),
        nn.ConvTranspose2d(64, 1, 5, 2, 2, output_padding=1),
        nn.Tanh(),
    )


def discriminator(batch_norm: bool) -> nn.Module:
    return nn.Sequential(
        nn.Conv2d(1, 64, 5, 2, 2),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 5, 2, 2, bias=not batch_norm),
        *([nn.BatchNorm2d(128)] if batch_norm else []),
        nn.LeakyReLU(0.2),
        nn.Flatten(),
        nn.Linear(128 * 7 * 7, 1),
    )


class Players:
    """Two networks and their optimizers."""

    def __init__(self, batch_norm: bool):
        self.generator, self.discriminator = generator(), discriminator(batch_norm)
        self.generator_optimizer = torch.optim.Adam(self.generator.parameters(), 2e-4, fused=True)
        self.discriminator_optimizer = torch.optim.Adam(self.discriminator.parameters(), 2e-4, fused=True)
        self.x = 2.0 * torch.rand(BATCH, 1, 28, 28) - 1.0

    def fakes(self):
        return self.generator(2.0 * torch.rand(BATCH, LATENT_SIZE) - 1.0)

    def dcgan_step(self):
        with torch.no_grad():
            fakes = self.fakes()
        self.discriminator_optimizer.zero_grad()
        real, fake = self.discriminator(self.x), self.discriminator(fakes)
        (functional.softplus(-real) + functional.softplus(fake)).mean().backward()
        self.discriminator_optimizer.step()
        self.generator_optimizer.zero_grad()
        # The discriminator's weights need no gradient here.
        self.discriminator.requires_grad_(False)
        functional.softplus(-self.discriminator(self.fakes())).mean().backward()
        self.discriminator.requires_grad_(True)
        self.generator_optimizer.step()

    def critic_step(self):
        with torch.no_grad():
            fakes = self.fakes()
        self.discriminator_optimizer.zero_grad()
        loss = self.discriminator(fakes).mean() - self.discriminator(self.x).mean()
        share = torch.rand(BATCH, 1, 1, 1)
        between = (share * self.x + (1.0 - share) * fakes).requires_grad_(True)
        (gradient,) = torch.autograd.grad(self.discriminator(between).sum(), between, create_graph=True)
        penalty = (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()
        (loss + 10.0 * penalty).backward()
        self.discriminator_optimizer.step()


def main():
    """Answers lines until the input ends."""
    steps = {"dcgan": Players(True).dcgan_step, "wgan_gp": Players(False).critic_step}
    for line in sys.stdin:
        name, repetitions = line.split()
        print(best_seconds(steps[name], int(repetitions)), flush=True)


if __name__ == "__main__":
    main()
