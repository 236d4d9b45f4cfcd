"""The peer process of `flows_step.py`: zuko and nflows, in an interpreter that has them and PyTorch.

It reads lines "library task model size units count repetitions" and answers each with the shortest time in seconds: for
the task "train", that of a training step on `count` rows with PyTorch's fused Adam; for "sample", that of sampling as
many points.
"""

import sys

import nflows.distributions
import nflows.flows
import nflows.nn.nets
import nflows.transforms
import torch
import zuko
from nflows.transforms.autoregressive import (
    MaskedAffineAutoregressiveTransform,
    MaskedPiecewiseRationalQuadraticAutoregressiveTransform,
)
from torch_steps import best_seconds

BINS, BOUND = 8, 3.0
LAYERS = {"MAF": 5, "RealNVP": 8, "NSF": 5, "MaskedNSF": 5}


class TwoNetworks(torch.nn.Module):
    """The networks s and t of a Real NVP coupling, with tanh and ReLU, side by side."""

    def __init__(self, num_inputs, num_outputs, units):
        super().__init__()
        layer = torch.nn.Linear

        def network(activation):
            return torch.nn.Sequential(
                layer(num_inputs, units),
                activation(),
                layer(units, units),
                activation(),
                layer(units, num_outputs // 2),
            )

        self.scale, self.translation = network(torch.nn.Tanh), network(torch.nn.ReLU)
        self.factor = torch.nn.Parameter(torch.ones(num_outputs // 2))

    def forward(self, x, context=None):
        return torch.cat([self.factor * torch.tanh(self.scale(x)), self.translation(x)], dim=-1)


def residual_network(num_inputs, num_outputs, units):
    """Returns one residual block of two layers between two layers, as in `NeuralSplineFlow`."""
    return nflows.nn.nets.ResidualNet(num_inputs, num_outputs, hidden_features=units, num_blocks=1)


def zuko_flow(name, size, units):
    """Returns a zuko flow, whose splines have no linear maps between them."""
    layers = LAYERS[name]
    if name in ("MAF", "MaskedNSF"):
        family = zuko.flows.MAF if name == "MAF" else zuko.flows.NSF
        return family(size, transforms=layers, hidden_features=(units,) * 2)
    splines = {
        "univariate": zuko.transforms.MonotonicRQSTransform,
        "shapes": [(BINS,), (BINS,), (BINS - 1,)],
    }
    flow = zuko.flows.RealNVP(size, transforms=layers, **({} if name == "RealNVP" else splines))
    network = TwoNetworks if name == "RealNVP" else residual_network
    for transform in flow.transform.transforms:
        first, last = transform.hyper[0], transform.hyper[-1]
        transform.hyper = network(first.in_features, last.out_features, units)
    return flow


def nflows_flow(name, size, units):
    """Returns an nflows flow."""
    t, transforms = nflows.transforms, []
    mask = torch.arange(size) % 2
    splines = {"num_bins": BINS, "tails": "linear", "tail_bound": BOUND}
    for index in range(LAYERS[name]):
        if name in ("NSF", "MaskedNSF"):
            transforms += [t.RandomPermutation(size), t.LULinear(size)]
        if name == "MAF":
            transforms.append(t.ReversePermutation(size))
        if name in ("MAF", "MaskedNSF"):
            form = {"hidden_features": units, "num_blocks": 1, "use_residual_blocks": False}
            if name == "MAF":
                transforms.append(MaskedAffineAutoregressiveTransform(size, **form))
            else:
                transforms.append(MaskedPiecewiseRationalQuadraticAutoregressiveTransform(size, **form, **splines))
        elif name == "RealNVP":
            transforms.append(t.AffineCouplingTransform((mask + index) % 2, lambda i, o: TwoNetworks(i, o, units)))
        else:
            transforms.append(
                t.PiecewiseRationalQuadraticCouplingTransform(
                    mask, lambda i, o: residual_network(i, o, units), **splines
                )
            )
    return nflows.flows.Flow(t.CompositeTransform(transforms), nflows.distributions.StandardNormal([size]))


def step_of(library, name, size, units, count):
    """Returns a training step, as a function without arguments."""
    flow = (zuko_flow if library == "zuko" else nflows_flow)(name, size, units)
    optimizer = torch.optim.Adam(flow.parameters(), 1e-3, fused=True)
    x = torch.randn(count, size)

    def step():
        optimizer.zero_grad()
        log_prob = flow().log_prob(x) if library == "zuko" else flow.log_prob(x)
        (-log_prob.mean()).backward()
        optimizer.step()

    return step


def sampler_of(library, name, size, units, count):
    """Returns a function without arguments that samples points."""
    flow = (zuko_flow if library == "zuko" else nflows_flow)(name, size, units).eval()

    @torch.no_grad()
    def sample():
        return flow().sample((count,)) if library == "zuko" else flow.sample(count)

    return sample


def main():
    """Answers lines until the input ends."""
    functions = {}
    for line in sys.stdin:
        library, task, name, *numbers = line.split()
        size, units, count, repetitions = map(int, numbers)
        key = library, task, name, size, units, count
        if key not in functions:
            functions[key] = {"train": step_of, "sample": sampler_of}[task](library, *key[2:])
        print(best_seconds(functions[key], repetitions), flush=True)


if __name__ == "__main__":
    main()
