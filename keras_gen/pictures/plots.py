"""Plots of vectors: points of the plane, histograms of entries, and densities over the plane."""

import math
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import PIL.Image

from keras_gen.core import DensityModel
from keras_gen.pictures.figures import new_figure, rendered


def scatter_plot(points: Mapping[str, np.ndarray], names: Sequence[str] = ()) -> PIL.Image.Image:
    """Plots points of the plane, arrays of shape `(num, 2)`, side by side under their names.

    Args:
        points: points by name; those with a missing entry (NaN) are left out.
        names: names of the two entries, if they have names.
    """
    figure, axes = new_figure(1, len(points), 4)
    for axis, (name, shown) in zip(axes, points.items(), strict=True):
        axis.scatter(shown[:, 0], shown[:, 1], s=3, alpha=0.6)
        axis.set(title=name, aspect="equal")
        if names:
            axis.set(xlabel=names[0], ylabel=names[1])
    return rendered(figure)


def histograms(x: np.ndarray, data: np.ndarray | None = None, names: Sequence[str] = ()) -> PIL.Image.Image:
    """Plots the distribution of each entry of real vectors, at most 16 of them.

    Args:
        x: vectors of shape `(num, entries)`.
        data: vectors to compare them with; missing entries (NaN) are left out.
        names: names of the entries, if they have names.
    """
    entries = min(16, x.shape[-1])
    columns = min(4, entries)
    figure, axes = new_figure(math.ceil(entries / columns), columns, 2.2)
    for entry, axis in zip(range(entries), axes, strict=False):
        shown = x[:, entry] if data is None else np.concatenate([x[:, entry], data[:, entry]])
        bins = np.linspace(*np.nanquantile(shown, [0.005, 0.995]), 31)
        axis.hist(x[:, entry], bins, density=True, alpha=0.6, label="samples")
        if data is not None:
            axis.hist(data[:, entry], bins, density=True, histtype="step", color="black", label="data")
        axis.set_title(names[entry] if names else f"entry {entry}", fontsize=8)
        axis.tick_params(labelsize=6)
    for axis in axes[entries:]:
        axis.set_axis_off()
    axes[0].legend(fontsize=6)
    return rendered(figure)


def line_plots(
    x: Sequence[float], curves: Mapping[str, Mapping[str, Sequence[float]]], *, label: str
) -> PIL.Image.Image:
    """Plots curves over the same x values.

    Args:
        x: the x values.
        curves: title of each plot, side by side, to the name and values of each of its curves.
        label: label of the x axis.
    """
    figure, axes = new_figure(1, len(curves), 3, aspect=1.4)
    for axis, (title, shown) in zip(axes, curves.items(), strict=True):
        for name, values in shown.items():
            axis.plot(x, values, marker="o", label=name)
        axis.set(title=title, xlabel=label)
        axis.legend(fontsize=7)
    return rendered(figure)


def density_plot(
    models: DensityModel | dict[str, DensityModel],
    truth: Callable[[np.ndarray], np.ndarray] | None = None,
    data: np.ndarray | None = None,
    *,
    unit: tuple[np.ndarray, np.ndarray] | None = None,
    resolution: int = 200,
    seed: int = 0,
) -> PIL.Image.Image:
    """Shows densities over the plane, all in the same colours, and points drawn from them below.

    Args:
        models: models of two-dimensional real vectors by name, or one model.
        truth: function from points of shape `(num, 2)` to the true log density, shown in the first column.
        data: points of shape `(num, 2)` from the truth; those with a missing entry (NaN) are left out.
        unit: mean and deviation by which points were standardised, to show them and their density in the original
            units.
        resolution: number of points along each side of the grid on which densities are evaluated.
        seed: seed of the points that models draw.

    Returns:
        A picture with one column for the truth, if there are `data`, and for each model.
    """
    models = models if isinstance(models, dict) else {"model": models}
    data = None if data is None else data[~np.isnan(data).any(axis=1)]
    num = 2000 if data is None else min(2000, len(data))
    points = {name: model.sample(num, seed=seed).numpy() for name, model in models.items()}
    densities = {name: lambda x, model=model: model.predict(x, 10_000, verbose=0) for name, model in models.items()}
    if data is not None:
        points, densities = {"data": data[:num], **points}, {"data": truth, **densities}
    mean, deviation = (np.zeros(2), np.ones(2)) if unit is None else unit
    points = {name: each * deviation + mean for name, each in points.items()}
    # The bounds of the data, if there are any, so that a model with a few far points is shown at the same scale.
    low, high = np.quantile(next(iter(points.values())), [0.001, 0.999], axis=0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    grid = np.stack(np.meshgrid(*np.linspace(low, high, resolution).T), axis=-1).reshape(-1, 2)
    grid, log_volume = ((grid - mean) / deviation).astype(np.float32), np.log(deviation).sum()
    values = {name: np.exp(density(grid) - log_volume) for name, density in densities.items() if density is not None}
    brightest = max(np.quantile(shown, 0.999) for shown in values.values())
    extent = (low[0], high[0], low[1], high[1])
    figure, axes = new_figure(2, len(points), 3)
    for column, (name, samples) in enumerate(points.items()):
        above, below = axes[column], axes[len(points) + column]
        above.set_title(name)
        if name in values:
            shown = values[name].reshape(resolution, resolution)
            above.imshow(shown, origin="lower", extent=extent, vmin=0.0, vmax=brightest, cmap="viridis", aspect="auto")
        below.scatter(samples[:, 0], samples[:, 1], s=1, alpha=0.6)
        for axis in (above, below):
            axis.set(xlim=extent[:2], ylim=extent[2:])
            axis.tick_params(labelsize=6)
    return rendered(figure)
