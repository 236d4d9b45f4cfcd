"""Matplotlib figures as pictures."""

import io

import PIL.Image


def new_figure(rows: int, columns: int, size: float, *, aspect: float = 1.0):
    """Returns a figure that is independent of any window system, and its axes in a flat list.

    Args:
        rows: number of rows of axes.
        columns: number of columns of axes.
        size: height of each of the axes, in inches.
        aspect: width of each of the axes, in heights.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * size * aspect, rows * size), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).ravel().tolist()


def rendered(figure) -> PIL.Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return PIL.Image.open(buffer).convert("RGB")
