"""How well puzzles are solved: the positions of parts and the order of pieces."""

import numpy as np


def mask_overlap(masks, true_masks, threshold: float = 0.5) -> float:
    """Returns the overlap of masks with true ones: the mean over images of intersection over union.

    Two empty masks overlap by 1.

    Args:
        masks: numbers of shape `(num, ...)`; pixels with a number greater than the threshold belong to the mask.
        true_masks: zeros and ones of the same shape.
        threshold: the threshold.

    Raises:
        ValueError: if the shapes differ.
    """
    found, truth = np.asarray(masks) > threshold, np.asarray(true_masks) > 0.5
    check_shapes("masks", found, truth)
    axes = tuple(range(1, found.ndim))
    common, either = (found & truth).sum(axis=axes), (found | truth).sum(axis=axes)
    return float(np.where(either == 0, 1.0, common / np.maximum(either, 1)).mean())


def arrangement_accuracy(positions, true_positions, pieces) -> dict[str, float]:
    """Compares the positions assigned to pieces of images with the true ones.

    Equal pieces, such as the black corners of a digit, cannot be distinguished: each of them is as right at the
    position of another one. Both counts are returned: with and without such exchanges.

    Args:
        positions: position of each piece, integers of shape `(num, num_pieces)`.
        true_positions: the true positions.
        pieces: the pieces, of shape `(num, num_pieces, ...)`.

    Returns:
        "positions": share of pieces at a right position, where equal pieces may change places; "images": share of
        images for which this holds for all pieces; "positions, equal pieces told apart" and "images, equal pieces told
        apart": the same, judged only by the numbers of the pieces.

    Raises:
        ValueError: if the shapes differ.
    """
    found, truth, pieces = (np.asarray(each) for each in (positions, true_positions, pieces))
    check_shapes("positions", found, truth)
    check_shapes("pieces", pieces[..., *[0] * (pieces.ndim - 2)], truth)
    # Whether each piece equals the piece that belongs at its position.
    owners = np.argsort(truth, axis=1)
    owner = np.take_along_axis(owners, found, axis=1)
    flat = pieces.reshape(*truth.shape, -1)
    equal = np.all(flat == np.take_along_axis(flat, owner[..., np.newaxis], axis=1), axis=-1)
    same = found == truth
    return {
        "positions": float(equal.mean()),
        "images": float(equal.all(axis=1).mean()),
        "positions, equal pieces told apart": float(same.mean()),
        "images, equal pieces told apart": float(same.all(axis=1).mean()),
    }


def check_shapes(name: str, found: np.ndarray, truth: np.ndarray) -> None:
    """Raises ValueError if two arrays have different shapes."""
    if found.shape != truth.shape:
        raise ValueError(f"`{name}` must have the shape of the true ones, {truth.shape}; received {found.shape}.")
