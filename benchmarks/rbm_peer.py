"""The peer of `rbm_step.py`: the same update in plain PyTorch, in an interpreter that has it.

It reads lines "plain repetitions" or "compiled repetitions" and answers each with the shortest time of an update, in
seconds.
"""

import sys

import torch
from torch_steps import best_seconds

BATCH, VISIBLE_UNITS, HIDDEN_UNITS, LEARNING_RATE = 100, 784, 500, 0.05


def update(x, weight, bias, hidden_bias):
    """Returns the parameters after a step of contrastive divergence, with a hand-written gradient."""
    hidden = torch.sigmoid(torch.addmm(hidden_bias, x, weight))
    drawn = (torch.rand_like(hidden) < hidden).float()
    visible = torch.sigmoid(torch.addmm(bias, drawn, weight.t()))
    negative = (torch.rand_like(visible) < visible).float()
    negative_hidden = torch.sigmoid(torch.addmm(hidden_bias, negative, weight))
    rate = LEARNING_RATE / BATCH
    weight = weight + rate * (x.t() @ hidden - negative.t() @ negative_hidden)
    bias = bias + rate * (x - negative).sum(0)
    return weight, bias, hidden_bias + rate * (hidden - negative_hidden).sum(0)


def main():
    """Answers lines until the input ends."""
    x = (torch.rand(BATCH, VISIBLE_UNITS) < 0.13).float()
    parameters = [
        0.01 * torch.randn(VISIBLE_UNITS, HIDDEN_UNITS),
        torch.zeros(VISIBLE_UNITS),
        torch.zeros(HIDDEN_UNITS),
    ]
    functions = {"plain": update, "compiled": torch.compile(update)}
    with torch.no_grad():
        for line in sys.stdin:
            name, repetitions = line.split()

            def step(update=functions[name]):
                parameters[:] = update(x, *parameters)

            print(best_seconds(step, int(repetitions), warm_up=3), flush=True)


if __name__ == "__main__":
    main()
