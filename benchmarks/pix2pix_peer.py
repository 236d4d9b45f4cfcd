"""The peer of `pix2pix_step.py`: the same nets and step in PyTorch, in an interpreter that has it.

It reads lines "batch_size repetitions" and answers each with the shortest time of a training step in seconds, plain and
through `torch.compile`. The generator translates a batch once for both players, as in the paper's code.
"""

import itertools

import torch
from torch import nn
from torch.nn import functional
from torch_steps import answer_lines

FILTERS = [64, 128, 256, 512, 512, 512]


class UNet(nn.Module):
    def __init__(self):
        super().__init__()
        widths, num = [3, *FILTERS], len(FILTERS)
        normalized = [0 < index < num - 1 for index in range(num)]
        self.down = nn.ModuleList(
            nn.Sequential(
                nn.Conv2d(*pair, 4, 2, 1, bias=not norm),
                nn.InstanceNorm2d(pair[1], affine=True) if norm else nn.Identity(),
            )
            for pair, norm in zip(itertools.pairwise(widths), normalized, strict=True)
        )
        up = []
        for index in reversed(range(num)):
            entering = widths[index + 1] * (1 if index == num - 1 else 2)
            layers = [nn.ConvTranspose2d(entering, widths[index], 4, 2, 1, bias=index == 0)]
            if index > 0:
                layers.append(nn.InstanceNorm2d(widths[index], affine=True))
            if index >= num - 3:
                layers.append(nn.Dropout(0.5))
            up.append(nn.Sequential(*layers))
        self.up = nn.ModuleList(up)

    def forward(self, h):
        skips = []
        for index, layer in enumerate(self.down):
            h = layer(h if index == 0 else functional.leaky_relu(h, 0.2))
            skips.append(h)
        for index, layer in enumerate(self.up):
            h = layer(functional.relu(h if index == 0 else torch.cat([h, skips[-1 - index]], 1)))
        return torch.tanh(h)


def patch_discriminator() -> nn.Module:
    """Patches of 34×34 pixels."""
    return nn.Sequential(
        nn.Conv2d(6, 64, 4, 2, 1),
        nn.LeakyReLU(0.2),
        nn.Conv2d(64, 128, 4, 2, 1, bias=False),
        nn.InstanceNorm2d(128, affine=True),
        nn.LeakyReLU(0.2),
        nn.Conv2d(128, 256, 4, 1, 1, bias=False),
        nn.InstanceNorm2d(256, affine=True),
        nn.LeakyReLU(0.2),
        nn.Conv2d(256, 1, 4, 1, 1),
    )


class Players:
    """Two networks and their optimizers."""

    def __init__(self, compiled: bool):
        self.generator, self.discriminator = UNet(), patch_discriminator()
        self.translate, self.judge = self.generator, self.discriminator
        if compiled:
            self.translate, self.judge = torch.compile(self.generator), torch.compile(self.discriminator)
        self.optimizers = [
            torch.optim.Adam(net.parameters(), 2e-4, (0.5, 0.999), fused=True)
            for net in (self.generator, self.discriminator)
        ]

    def step(self, source, target):
        generator_optimizer, discriminator_optimizer = self.optimizers
        fakes = self.translate(source)
        discriminator_optimizer.zero_grad()
        real = self.judge(torch.cat([source, target], 1))
        fake = self.judge(torch.cat([source, fakes.detach()], 1))
        (0.5 * (functional.softplus(-real) + functional.softplus(fake)).mean()).backward()
        discriminator_optimizer.step()
        generator_optimizer.zero_grad()
        # The discriminator's weights need no gradient here.
        self.discriminator.requires_grad_(False)
        loss = functional.softplus(-self.judge(torch.cat([source, fakes], 1))).mean()
        (loss + 100.0 * (target - fakes).abs().mean()).backward()
        self.discriminator.requires_grad_(True)
        generator_optimizer.step()


def main():
    """Answers lines until the input ends."""
    players = [Players(compiled) for compiled in (False, True)]
    answer_lines(players, lambda size: tuple(2.0 * torch.rand(size, 3, 64, 64) - 1.0 for _ in range(2)))


if __name__ == "__main__":
    main()
