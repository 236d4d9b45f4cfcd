"""Figures of Matplotlib as pictures."""

import io

import PIL.Image


def new_figure(rows: int, columns: int, size: float):
    """Returns a figure that no window system knows of, and its axes in a flat list."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(columns * size, rows * size), layout="constrained")
    return figure, figure.subplots(rows, columns, squeeze=False).ravel().tolist()


def rendered(figure) -> PIL.Image.Image:
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=120)
    return PIL.Image.open(buffer).convert("RGB")
