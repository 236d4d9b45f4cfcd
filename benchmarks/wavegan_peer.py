"""The peer of `wavegan_step.py`: the same nets and step in PyTorch, in an interpreter that has it.

It reads lines "batch_size repetitions" and answers each with the shortest time of a training step in seconds, plain and
through `torch.compile`. Compiled code has no second derivative, so the gradient penalty is not compiled in either.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional
from torch_steps import answer_lines

SAMPLES, FILTERS, LATENT_SIZE, SHUFFLE, CRITIC_STEPS = 4096, [16, 32, 64, 128], 100, 2, 5


class Generator(nn.Module):
    def __init__(self):
        super().__init__()
        self.dense = nn.Linear(LATENT_SIZE, 16 * FILTERS[-1])
        self.layers = nn.ModuleList(
            nn.ConvTranspose1d(inputs, outputs, 25, 4, padding=11, output_padding=1)
            for inputs, outputs in itertools.pairwise([*FILTERS[::-1], 1])
        )

    def forward(self, z):
        h = self.dense(z).reshape(-1, FILTERS[-1], 16)
        for layer in self.layers:
            h = layer(torch.relu(h))
        return torch.tanh(h)


class Critic(nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = nn.ModuleList(
            nn.Conv1d(inputs, outputs, 25, 4, padding=11) for inputs, outputs in itertools.pairwise([1, *FILTERS])
        )
        self.head = nn.Linear(16 * FILTERS[-1], 1)

    def forward(self, h):
        for index, layer in enumerate(self.layers):
            h = functional.leaky_relu(layer(h), 0.2)
            if index < len(self.layers) - 1:
                shift = torch.randint(-SHUFFLE, SHUFFLE + 1, ())
                places = (torch.arange(h.shape[2]) - shift).abs()
                last = h.shape[2] - 1
                h = h.index_select(2, last - (last - places).abs())
        return self.head(h.flatten(1))[:, 0]


class Players:
    """Two networks and their optimizers."""

    def __init__(self, compiled: bool):
        self.generator, self.critic = Generator(), Critic()
        self.generate, self.judge = self.generator, self.critic
        if compiled:
            self.generate, self.judge = torch.compile(self.generator), torch.compile(self.critic)
        self.generator_optimizer, self.critic_optimizer = (
            torch.optim.Adam(net.parameters(), 1e-4, (0.5, 0.9), fused=True) for net in (self.generator, self.critic)
        )

    def fakes(self, batch_size):
        return self.generate(2.0 * torch.rand(batch_size, LATENT_SIZE) - 1.0)

    def step(self, x):
        for _ in range(CRITIC_STEPS):
            with torch.no_grad():
                fakes = self.fakes(len(x))
            self.critic_optimizer.zero_grad()
            loss = self.judge(fakes).mean() - self.judge(x).mean()
            share = torch.rand(len(x), 1, 1)
            between = (share * x + (1.0 - share) * fakes).requires_grad_(True)
            (gradient,) = torch.autograd.grad(self.critic(between).sum(), between, create_graph=True)
            penalty = (gradient.flatten(1).norm(dim=1) - 1.0).square().mean()
            (loss + 10.0 * penalty).backward()
            self.critic_optimizer.step()
        self.generator_optimizer.zero_grad()
        # The critic's weights need no gradient here.
        self.critic.requires_grad_(False)
        (-self.judge(self.fakes(len(x))).mean()).backward()
        self.critic.requires_grad_(True)
        self.generator_optimizer.step()


def main():
    """Answers lines until the input ends."""
    players = [Players(compiled) for compiled in (False, True)]
    answer_lines(players, lambda size: (2.0 * torch.rand(size, 1, SAMPLES) - 1.0,))


if __name__ == "__main__":
    main()
