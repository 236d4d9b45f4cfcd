"""Pictures of examples, chosen by their space: one row in a suitable form, or several named rows."""

from collections.abc import Mapping, Sequence

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from keras_gen.pictures.figures import new_figure, rendered
from keras_gen.pictures.grids import as_images, as_pixels, image_grid, tiled, value_range
from keras_gen.pictures.plots import histograms, scatter_plot
from keras_gen.pictures.sounds import sound_picture
from keras_gen.spaces import Levels, Numbers, Sound, Space

#: Name to space and values, as `Model.preview` returns them.
Rows = Mapping[str, tuple[Space, np.ndarray]]

#: Pixels around a title.
MARGIN = 4


def picture(
    space: Space, values: np.ndarray, data: np.ndarray | None = None, *, names: Sequence[str] = ()
) -> PIL.Image.Image:
    """Draws examples in a form that suits their space.

    Args:
        space: space of the examples.
        values: examples of shape `(num, *space.shape)`.
        data: real examples to show beside sound and real vectors.
        names: names of the entries of real vectors, if they have names.

    Returns:
        Waveforms and spectrograms for sound with a known sample rate; a grid for images; one row of pixels per example
        for other levels; a scatter plot for real vectors of two entries; the histogram of each entry for other real
        numbers.

    Raises:
        ValueError: if the space does not hold numbers.
    """
    check_numbers(space)
    values = np.asarray(values)
    if is_audible(space):
        rows = {"sample": values} if data is None else {"data": data, "sample": values}
        return sound_picture(rows, space.sample_rate)
    if len(space.shape) == 3 and space.shape[-1] in (1, 3):
        return image_grid(values, space)
    values = values.reshape(len(values), -1)
    if isinstance(space, Levels):
        return image_grid(values[np.newaxis, ..., np.newaxis], space)
    data = None if data is None else np.reshape(data, (len(data), -1))
    if values.shape[-1] != 2:
        return histograms(values, data, names)
    points = {"samples": values} if data is None else {"data": data[: len(values)], "samples": values}
    return scatter_plot(points, names)


def preview(
    rows: Rows, data: np.ndarray | None = None, *, num_columns: int = 10, names: Sequence[str] = ()
) -> PIL.Image.Image:
    """Draws the preview of a model.

    Args:
        rows: result of `Model.preview`: name to space and values, such as only "samples", or "input", "output" and
            "target".
        data: real examples to show beside one row of sound or real vectors.
        num_columns: number of examples shown in each of several rows.
        names: names of the entries of real vectors, if they have names.

    Returns:
        For one row, the result of `picture`. For several rows, sounds and points of the plane are drawn as in a single
        row, and anything else as rows of pixels; each row has its name.

    Raises:
        ValueError: if a space does not hold numbers.
    """
    if len(rows) == 1:
        (row,) = rows.values()
        return picture(*row, data, names=names)
    spaces = [space for space, _ in rows.values()]
    for space in spaces:
        check_numbers(space)
    values = {name: np.asarray(values) for name, (_, values) in rows.items()}
    if len(set(spaces)) == 1 and is_audible(spaces[0]):
        return sound_picture(values, spaces[0].sample_rate)
    if all(space.shape == (2,) and not isinstance(space, Levels) for space in spaces):
        return scatter_plot(values, names)
    return stacked_rows({name: (space, values[name][:num_columns]) for name, (space, _) in rows.items()})


def titled(image: PIL.Image.Image, title: str) -> PIL.Image.Image:
    """Returns a picture with a line of text above it."""
    font = PIL.ImageFont.load_default()
    *_, right, bottom = map(round, font.getbbox(title))
    height = bottom + 2 * MARGIN
    whole = PIL.Image.new(image.mode, (max(image.width, right + 2 * MARGIN), image.height + height), "white")
    PIL.ImageDraw.Draw(whole).text((MARGIN, MARGIN), title, fill="black", font=font)
    whole.paste(image, (0, height))
    return whole


def labelled_rows(rows: Mapping[str, np.ndarray], space: Numbers) -> PIL.Image.Image:
    """Arranges examples in named rows.

    Args:
        rows: name to examples of shape `(num, *space.shape)`, equally many in each row.
        space: space of the examples. Real numbers are scaled, in the same way for all rows.

    Returns:
        A picture with one row per name, in their order.
    """
    return stacked_rows({name: (space, values) for name, values in rows.items()})


def stacked_rows(rows: Rows) -> PIL.Image.Image:
    """Arranges rows below each other, with one brightness scale per space and smaller images magnified."""
    images = {name: as_images(values) for name, (_, values) in rows.items()}
    ranges = {}
    for space in {space for space, _ in rows.values()}:
        ranges[space] = value_range(space, np.concatenate([images[n].ravel() for n in rows if rows[n][0] == space]))
    pixels = {name: as_pixels(images[name], *ranges[space]) for name, (space, _) in rows.items()}
    shape = np.max([row.shape[1:] for row in pixels.values()], axis=0)
    whole = np.concatenate([fitted(row, *shape) for row in pixels.values()])
    num = len(whole) // len(rows)
    grid = np.asarray(tiled(whole, num, min_size=100 * num))
    figure, (axis,) = new_figure(1, 1, 0.9 * len(rows), aspect=grid.shape[1] / grid.shape[0])
    axis.imshow(grid, cmap="gray", vmin=0, vmax=255)
    axis.set_yticks((np.arange(len(rows)) + 0.5) * grid.shape[0] / len(rows), list(rows), fontsize=8)
    axis.set_xticks([])
    axis.tick_params(length=0)
    axis.spines[:].set_visible(False)
    return rendered(figure)


def fitted(pixels: np.ndarray, height: int, width: int, channels: int) -> np.ndarray:
    """Returns images of bytes at a given size, magnified by an integer factor and with a grey border."""
    factor = min(height // pixels.shape[1], width // pixels.shape[2])
    pixels = pixels.repeat(factor, axis=1).repeat(factor, axis=2).repeat(channels // pixels.shape[3], axis=3)
    around = [(free // 2, free - free // 2) for free in (height - pixels.shape[1], width - pixels.shape[2])]
    return np.pad(pixels, ((0, 0), *around, (0, 0)), constant_values=128)


def is_audible(space: Space) -> bool:
    """Whether a space holds sound with a known sample rate."""
    return isinstance(space, Sound) and space.sample_rate is not None


def check_numbers(space: Space) -> None:
    """Raises ValueError if a space does not hold numbers; nothing else can be drawn."""
    if not isinstance(space, Numbers):
        raise ValueError(f"`space` must hold numbers to be drawn, received {space}.")
