"""The peer of `cycle_gan_step.py`: the same nets and step in PyTorch, in an interpreter that has it.

It reads lines "batch_size repetitions" and answers each with the shortest time of a training step in seconds, plain and
through `torch.compile`. As in the paper's code, each image passes through a network separately, and the discriminators
see images from a pool, which Python keeps.
"""

import itertools
import random

import torch
from torch import nn
from torch.nn import functional
from torch_steps import answer_lines

SIZE, FILTERS, NUM_BLOCKS, POOL_SIZE = 64, 64, 6, 50


def normalized(layer: nn.Module, channels: int) -> list[nn.Module]:
    return [layer, nn.InstanceNorm2d(channels, affine=True)]


class Block(nn.Module):
    def __init__(self, channels: int):
        super().__init__()
        convolutions = [
            [nn.ReflectionPad2d(1), *normalized(nn.Conv2d(channels, channels, 3, bias=False), channels)]
            for _ in range(2)
        ]
        self.layers = nn.Sequential(*convolutions[0], nn.ReLU(), *convolutions[1])

    def forward(self, h):
        return h + self.layers(h)


def resnet() -> nn.Module:
    widths = [FILTERS, 2 * FILTERS, 4 * FILTERS]
    layers = [nn.ReflectionPad2d(3), *normalized(nn.Conv2d(3, FILTERS, 7, bias=False), FILTERS), nn.ReLU()]
    for inputs, outputs in itertools.pairwise(widths):
        layers += [*normalized(nn.Conv2d(inputs, outputs, 3, 2, 1, bias=False), outputs), nn.ReLU()]
    layers += [Block(widths[-1]) for _ in range(NUM_BLOCKS)]
    for inputs, outputs in itertools.pairwise(widths[::-1]):
        doubling = nn.ConvTranspose2d(inputs, outputs, 3, 2, 1, output_padding=1, bias=False)
        layers += [*normalized(doubling, outputs), nn.ReLU()]
    return nn.Sequential(*layers, nn.ReflectionPad2d(3), nn.Conv2d(FILTERS, 3, 7), nn.Tanh())


def patch_discriminator() -> nn.Module:
    """Patches of 34×34 pixels."""
    layers = [nn.Conv2d(3, FILTERS, 4, 2, 1), nn.LeakyReLU(0.2)]
    for inputs, outputs, stride in ((FILTERS, 2 * FILTERS, 2), (2 * FILTERS, 4 * FILTERS, 1)):
        layers += [*normalized(nn.Conv2d(inputs, outputs, 4, stride, 1, bias=False), outputs), nn.LeakyReLU(0.2)]
    return nn.Sequential(*layers, nn.Conv2d(4 * FILTERS, 1, 4, 1, 1))


class Pool:
    """A pool of earlier translations, which are exchanged with half of the new ones."""

    def __init__(self):
        self.images = []

    def exchange(self, images):
        shown = []
        for image in images:
            if len(self.images) < POOL_SIZE:
                self.images.append(image)
            elif random.random() < 0.5:
                place = random.randrange(POOL_SIZE)
                image, self.images[place] = self.images[place], image
            shown.append(image)
        return torch.stack(shown)


class Players:
    """Two generators, two discriminators, and an optimizer for each pair."""

    def __init__(self, compiled: bool):
        generators, discriminators = [resnet() for _ in range(2)], [patch_discriminator() for _ in range(2)]
        self.optimizers = [
            torch.optim.Adam([weight for net in nets for weight in net.parameters()], 2e-4, (0.5, 0.999), fused=True)
            for nets in (generators, discriminators)
        ]
        self.discriminators = discriminators
        nets = [*generators, *discriminators]
        self.to_b, self.to_a, self.judge_a, self.judge_b = map(torch.compile, nets) if compiled else nets
        self.pool_a, self.pool_b = Pool(), Pool()

    def step(self, a, b):
        generator_optimizer, discriminator_optimizer = self.optimizers
        generator_optimizer.zero_grad()
        # The discriminators' weights need no gradient here.
        for net in self.discriminators:
            net.requires_grad_(False)
        fake_b, fake_a = self.to_b(a), self.to_a(b)
        loss = (self.judge_b(fake_b) - 1.0).square().mean() + (self.judge_a(fake_a) - 1.0).square().mean()
        loss += 10.0 * (functional.l1_loss(self.to_a(fake_b), a) + functional.l1_loss(self.to_b(fake_a), b))
        loss += 5.0 * (functional.l1_loss(self.to_a(a), a) + functional.l1_loss(self.to_b(b), b))
        loss.backward()
        generator_optimizer.step()
        for net in self.discriminators:
            net.requires_grad_(True)
        discriminator_optimizer.zero_grad()
        for judge, real, fake, pool in (
            (self.judge_a, a, fake_a, self.pool_a),
            (self.judge_b, b, fake_b, self.pool_b),
        ):
            shown = pool.exchange(fake.detach())
            (0.5 * ((judge(real) - 1.0).square().mean() + judge(shown).square().mean())).backward()
        discriminator_optimizer.step()


def main():
    """Answers lines until the input ends."""
    players = [Players(compiled) for compiled in (False, True)]
    answer_lines(players, lambda size: tuple(2.0 * torch.rand(size, 3, SIZE, SIZE) - 1.0 for _ in range(2)))


if __name__ == "__main__":
    main()
