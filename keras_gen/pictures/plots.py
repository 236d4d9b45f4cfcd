"""Pictures of examples: grids of images, scatter plots, histograms; and of densities over the plane."""

import math
from collections.abc import Callable

import numpy as np
import PIL.Image

from keras_gen.core import DensityModel
from keras_gen.pictures.figures import new_figure, rendered
from keras_gen.pictures.sounds import sound_picture


def picture(
    x: np.ndarray, levels: int | None = None, data: np.ndarray | None = None, *, sample_rate: int | None = None
) -> PIL.Image.Image:
    """Draws examples in the way that suits their shape.

    Args:
        x: examples of shape `(num, *event_shape)`: images `(num, height, width, channels)`, or vectors.
        levels: number of levels of an entry; None for real numbers.
        data: real examples to set beside real vectors.
        sample_rate: samples in a second, for sound of shape `(num, samples)`.

    Returns:
        Waveforms and spectrograms of sound; a grid of images; for two-dimensional vectors a scatter plot; for longer
        real vectors the histogram of each entry; for longer discrete vectors one row of pixels per example.
    """
    x = np.asarray(x)
    if sample_rate is not None:
        return sound_picture(x, sample_rate, data)
    if x.ndim == 4 and x.shape[-1] in (1, 3):
        return image_grid(x, levels)
    x = x.reshape(len(x), -1)
    if levels is not None:
        return image_grid(x[np.newaxis, ..., np.newaxis], levels)
    return scatter_plot(x, data) if x.shape[-1] == 2 else histograms(x, data)


def image_grid(
    images: np.ndarray,
    levels: int | None = 256,
    *,
    columns: int | None = None,
    margin: int = 2,
    min_size: int = 400,
) -> PIL.Image.Image:
    """Arranges images in a grid.

    Args:
        images: shape `(num, height, width, channels)` with one or three channels.
        levels: number of levels of a pixel; None stretches real numbers from their smallest to their largest.
        columns: images in a row; None makes the grid as square as possible.
        margin: pixels between images.
        min_size: small images are magnified by a whole factor up to about this width of the picture.

    Returns:
        A `PIL.Image.Image`.
    """
    images = np.asarray(images, np.float64)
    low, high = (images.min(), images.max()) if levels is None else (0, levels - 1)
    images = np.clip((images - low) / max(high - low, 1e-12) * 255, 0, 255).round().astype(np.uint8)
    num, height, width, channels = images.shape
    if columns is None:
        columns = math.ceil(math.sqrt(num * height / width))
    rows = math.ceil(num / columns)
    grid = np.full((rows * (height + margin) + margin, columns * (width + margin) + margin, channels), 128, np.uint8)
    for index, image in enumerate(images):
        top = margin + index // columns * (height + margin)
        left = margin + index % columns * (width + margin)
        grid[top : top + height, left : left + width] = image
    factor = max(1, round(min_size / grid.shape[1]))
    grid = grid.repeat(factor, axis=0).repeat(factor, axis=1)
    return PIL.Image.fromarray(grid[..., 0] if channels == 1 else grid)


def as_images(x: np.ndarray) -> np.ndarray:
    """Returns images as they are, and each example of another shape as an image of one row of pixels."""
    x = np.asarray(x)
    return x if x.ndim == 4 and x.shape[-1] in (1, 3) else x.reshape(len(x), 1, -1, 1)


def labelled_rows(rows: dict[str, np.ndarray], levels: int | None = None) -> PIL.Image.Image:
    """Arranges examples in rows that have names.

    Args:
        rows: name to examples of shape `(num, *event_shape)`, as many in each row.
        levels: number of levels of an entry; None stretches real numbers, all rows alike.

    Returns:
        A picture with one row per name, in their order.
    """
    rows = {name: as_images(x) for name, x in rows.items()}
    whole = np.concatenate(list(rows.values()))
    num = len(whole) // len(rows)
    grid = np.asarray(image_grid(whole, levels, columns=num, min_size=100 * num))
    aspect = grid.shape[1] / grid.shape[0]
    figure, (axis,) = new_figure(1, 1, 0.9 * len(rows), aspect=aspect)
    axis.imshow(grid, cmap="gray", vmin=0, vmax=255)
    axis.set_yticks((np.arange(len(rows)) + 0.5) * grid.shape[0] / len(rows), list(rows), fontsize=8)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return rendered(figure)


def scatter_plot(x: np.ndarray, data: np.ndarray | None = None) -> PIL.Image.Image:
    """Plots two-dimensional vectors as points, and data beside them."""
    columns = [("samples", x)] if data is None else [("data", data[: len(x)]), ("samples", x)]
    figure, axes = new_figure(1, len(columns), 4)
    for axis, (title, points) in zip(axes, columns, strict=True):
        axis.scatter(points[:, 0], points[:, 1], s=3, alpha=0.6)
        axis.set(title=title, aspect="equal")
    return rendered(figure)


def histograms(x: np.ndarray, data: np.ndarray | None = None) -> PIL.Image.Image:
    """Plots the distribution of each entry of real vectors, at most 16 of them."""
    entries = min(16, x.shape[-1])
    columns = min(4, entries)
    figure, axes = new_figure(math.ceil(entries / columns), columns, 2.2)
    for entry, axis in zip(range(entries), axes, strict=False):
        shown = x[:, entry] if data is None else np.concatenate([x[:, entry], data[:, entry]])
        bins = np.linspace(*np.quantile(shown, [0.005, 0.995]), 31)
        axis.hist(x[:, entry], bins, density=True, alpha=0.6, label="samples")
        if data is not None:
            axis.hist(data[:, entry], bins, density=True, histtype="step", color="black", label="data")
        axis.set_title(f"entry {entry}", fontsize=8)
        axis.tick_params(labelsize=6)
    axes[0].legend(fontsize=6)
    return rendered(figure)


def density_plot(
    models: DensityModel | dict[str, DensityModel],
    truth: Callable[[np.ndarray], np.ndarray] | None = None,
    data: np.ndarray | None = None,
    *,
    resolution: int = 200,
    seed: int = 0,
) -> PIL.Image.Image:
    """Shows densities over the plane, all in the same colours, and points drawn from them below.

    Args:
        models: models of two-dimensional real vectors by name, or one model.
        truth: function from points of shape `(num, 2)` to the true log density, which the first column shows.
        data: points of shape `(num, 2)` that the truth is seen in.
        resolution: points along a side of the grid on which densities are evaluated.
        seed: seed of the points that models draw.

    Returns:
        A picture with one column for the truth, if there are `data`, and for each model.
    """
    models = models if isinstance(models, dict) else {"model": models}
    num = 2000 if data is None else min(2000, len(data))
    points = {name: model.sample(num, seed=seed).numpy() for name, model in models.items()}
    densities = {name: lambda x, model=model: model.predict(x, 10_000, verbose=0) for name, model in models.items()}
    if data is not None:
        points, densities = {"data": data[:num], **points}, {"data": truth, **densities}
    # Of the data, where there are any, so that a model with a few far points is seen at the same scale.
    low, high = np.quantile(next(iter(points.values())), [0.001, 0.999], axis=0)
    low, high = low - 0.15 * (high - low), high + 0.15 * (high - low)
    grid = np.stack(np.meshgrid(*np.linspace(low, high, resolution).T), axis=-1).reshape(-1, 2).astype(np.float32)
    values = {name: np.exp(density(grid)) for name, density in densities.items() if density is not None}
    brightest = max(np.quantile(shown, 0.999) for shown in values.values())
    extent = (low[0], high[0], low[1], high[1])
    figure, axes = new_figure(2, len(points), 3)
    for column, (name, drawn) in enumerate(points.items()):
        above, below = axes[column], axes[len(points) + column]
        above.set_title(name)
        if name in values:
            shown = values[name].reshape(resolution, resolution)
            above.imshow(shown, origin="lower", extent=extent, vmin=0.0, vmax=brightest, cmap="viridis", aspect="auto")
        below.scatter(drawn[:, 0], drawn[:, 1], s=1, alpha=0.6)
        for axis in (above, below):
            axis.set(xlim=extent[:2], ylim=extent[2:])
            axis.tick_params(labelsize=6)
    return rendered(figure)
