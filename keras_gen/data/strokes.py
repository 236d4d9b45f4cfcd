"""Measures drawn signs, such as digits: the thickness of their strokes, their slant, size and place."""

import numpy as np
import tensorflow as tf

#: Number of images that are processed at once.
IMAGES_AT_ONCE = 5000


def measured(ink: np.ndarray) -> dict[str, np.ndarray]:
    r"""Measures drawn signs.

    Let A be the sum of the ink, and P the length of its edges, $\sum |∇ ink|$. For a stroke of thickness w and length
    l, $A = w l$ and $P = 2 (w + l)$, so that w is the smaller root of $w^2 - \frac{P}{2} w + A = 0$.

    Args:
        ink: amount of ink in each pixel, from 0 to 1, of shape `(num, height, width)`.

    Returns:
        float64 arrays of shape `(num,)`, NaN for images without ink:

        - "thickness": w, in pixels;
        - "slant": the angle of shearing after which ink above the centre is neither right nor left of it, in degrees: 0
          for upright signs, positive for those that lean to the right;
        - "size": the longer side of the box around the ink, in pixels;
        - "horizontal" and "vertical": the centre of the ink, in pixels to the right of and below that of the image.
    """
    parts = [of_few(part.astype(np.float64)) for part in np.array_split(ink, 1 + len(ink) // IMAGES_AT_ONCE)]
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def of_few(ink: np.ndarray) -> dict[str, np.ndarray]:
    """Like `measured`, for all images at once."""
    _, height, width = ink.shape
    area = ink.sum(axis=(1, 2))
    area = np.where(area > 0.0, area, np.nan)
    # In pixels, from the centre of the image and from that of the ink.
    down, right = np.mgrid[:height, :width] - np.reshape([height - 1, width - 1], (2, 1, 1)) / 2.0
    horizontal, vertical = ((ink * way).sum(axis=(1, 2)) / area for way in (right, down))
    across, below = right - horizontal[:, np.newaxis, np.newaxis], down - vertical[:, np.newaxis, np.newaxis]
    slant = np.degrees(np.arctan2(-(ink * across * below).sum(axis=(1, 2)), (ink * below**2).sum(axis=(1, 2))))
    half = edges_length(ink) / 2.0
    thickness = (half - np.sqrt(np.maximum(half**2 - 4.0 * area, 0.0))) / 2.0
    sides = [end - start for start, end in (box_side(ink, axis) for axis in (1, 2))]
    return {
        "thickness": np.where(np.isnan(area), np.nan, thickness),
        "slant": np.where(np.isnan(area), np.nan, slant),
        "size": np.maximum(*sides),
        "horizontal": horizontal,
        "vertical": vertical,
    }


def edges_length(ink: np.ndarray) -> np.ndarray:
    """Returns the length of all edges of the ink, in pixels, of shape `(num,)`: the summed norm of its gradient.

    The gradient is taken between the four pixels around a corner; in its sum, level and diagonal edges count equally.
    """
    ink = np.pad(ink, ((0, 0), (1, 1), (1, 1)))
    a, b, c, d = ink[:, :-1, :-1], ink[:, :-1, 1:], ink[:, 1:, :-1], ink[:, 1:, 1:]
    return np.hypot((b + d - a - c) / 2.0, (c + d - a - b) / 2.0).sum(axis=(1, 2))


def box_side(ink: np.ndarray, axis: int) -> tuple[np.ndarray, np.ndarray]:
    """Returns where the box around the ink begins and ends, in pixels, each of shape `(num,)`.

    The box ends where the largest ink value of a row, or of a column, crosses half of the image's largest one,
    interpolated linearly between rows or columns.

    Args:
        ink: the ink.
        axis: 1 for the left and right ends, 2 for the upper and lower ends.
    """
    profile = np.pad(ink.max(axis=axis), ((0, 0), (1, 1)))
    half = profile.max(axis=1, keepdims=True) / 2.0
    rows, inside = np.arange(len(profile)), profile >= half
    first, last = inside.argmax(axis=1), profile.shape[1] - 1 - inside[:, ::-1].argmax(axis=1)
    half = np.where(half[:, 0] > 0.0, half[:, 0], np.nan)
    # Without ink, the whole profile is "inside".
    first, last = np.maximum(first, 1), np.minimum(last, profile.shape[1] - 2)
    with np.errstate(invalid="ignore"):
        outer, inner = profile[rows, first - 1], profile[rows, first]
        start = first - (inner - half) / (inner - outer)
        outer, inner = profile[rows, last + 1], profile[rows, last]
        end = last + (inner - half) / (inner - outer)
    return start, end


def moved(ink: np.ndarray, scale: np.ndarray, centre: np.ndarray, shape: tuple[int, int] | None = None) -> np.ndarray:
    """Returns signs at another size and place, by bilinear interpolation.

    Args:
        ink: ink of shape `(num, height, width)`.
        scale: factor for the size of each sign, of shape `(num,)`.
        centre: new position of the middle of the box around the ink, in pixels to the right of and below the centre of
            the image, of shape `(num, 2)`.
        shape: height and width of the results; None for those of the images.
    """
    shape = ink.shape[1:] if shape is None else shape
    middles = np.stack([(start + end) / 2.0 - 1.0 for start, end in (box_side(ink, axis) for axis in (1, 2))], axis=1)
    image_centre = (np.array(shape[::-1]) - 1.0) / 2.0
    # A pixel of the result at q shows what is at middle + (q - image centre - centre) / scale.
    offset = np.nan_to_num(middles) - (image_centre + centre) / scale[:, np.newaxis]
    zeros = np.zeros(len(ink))
    columns = [1.0 / scale, zeros, offset[:, 0], zeros, 1.0 / scale, offset[:, 1], zeros, zeros]
    transforms = np.stack(columns, axis=1).astype(np.float32)
    pairs = (np.array_split(each, 1 + len(ink) // IMAGES_AT_ONCE) for each in (ink.astype(np.float32), transforms))
    parts = [
        tf.raw_ops.ImageProjectiveTransformV3(
            images=part[..., np.newaxis],
            transforms=transform,
            output_shape=shape,
            fill_value=0.0,
            interpolation="BILINEAR",
            fill_mode="CONSTANT",
        ).numpy()
        for part, transform in zip(*pairs, strict=True)
    ]
    return np.concatenate(parts)[..., 0]


def centred(ink: np.ndarray, size: float = 20.0, shape: tuple[int, int] = (28, 28)) -> np.ndarray:
    """Returns signs in the form of MNIST: of one size, with their centre of mass in the middle of the image.

    Args:
        ink: ink of shape `(num, height, width)`.
        size: the longer side of the box around the ink, in pixels.
        shape: height and width of the results.
    """
    found = measured(ink)
    middles = [(sum(box_side(ink, axis)) - 1.0 - ink.shape[3 - axis]) / 2.0 for axis in (1, 2)]
    # From the centre of the ink to the middle of its box, which `moved` positions.
    ways = [middle - found[name] for middle, name in zip(middles, ("horizontal", "vertical"), strict=True)]
    scale = np.where(np.isnan(found["size"]), 1.0, size / found["size"])
    return moved(ink, scale, scale[:, np.newaxis] * np.nan_to_num(np.stack(ways, axis=1)), shape)


def placed(ink: np.ndarray, scale: tuple[float, float], seed: tuple[int, ...]) -> np.ndarray:
    """Returns signs of random size, each at a random place where it is whole.

    Args:
        ink: ink of shape `(num, height, width)`.
        scale: smallest and largest factor for a size.
        seed: seed of sizes and places.
    """
    random = np.random.default_rng(seed)
    sides = np.stack([end - start for start, end in (box_side(ink, axis) for axis in (1, 2))], axis=1)
    frame = np.array(ink.shape[:0:-1], np.float64)
    # One pixel on each side stays free; a sign that is too large for that keeps its size and is placed in the middle.
    largest = np.min((frame - 2.0) / np.maximum(np.nan_to_num(sides, nan=1.0), 1.0), axis=1)
    scales = np.minimum(random.uniform(*scale, len(ink)), np.maximum(largest, 1.0))
    free = np.maximum((frame - 2.0 - scales[:, np.newaxis] * np.nan_to_num(sides)) / 2.0, 0.0)
    return moved(ink, scales, free * random.uniform(-1.0, 1.0, (len(ink), 2)))
