"""Whether images match their captions, by measuring the images."""

from collections.abc import Mapping, Sequence

import numpy as np

from keras_gen.core import saving
from keras_gen.data import strokes
from keras_gen.data.captions import DIGITS, asked, in_direction
from keras_gen.evaluation.classifier import SHIPPED, Classifier


def caption_agreement(
    x,
    captions: Sequence[str],
    limits: Mapping[str, tuple[float, float]],
    levels: int = 256,
    *,
    classifier: Classifier | None = None,
    names: Sequence[Sequence[str]] = DIGITS,
) -> dict[str, float]:
    """Measures how many images match their captions.

    A digit is recognised after it has been moved to the size and place that it has in MNIST. A property is as requested
    if the measured value is on the requested side of the middle between the limits; for real images with captions of
    `data.captioned`, this is always true.

    Example:

    ```python
    splits = data.captioned(data.load("mnist", labels=True))
    captions = splits.examples("test", 1000)["condition"].numpy()
    x = model.sample(1000, condition=captions, seed=0)
    evaluation.caption_agreement(x, captions, splits.limits)
    ```

    Args:
        x: grey images in levels, of shape `(num, height, width, 1)`.
        captions: the caption of each, in the words of `data.captioned`.
        limits: property to the measured values beyond which captions say that there is little, or much, of it.
        levels: number of levels of `x`.
        classifier: a classifier of digits of 28×28 pixels and 256 levels; None takes the one that comes with the
            package.
        names: names of each class.

    Returns:
        "digit recognised", the share of the captions with a digit whose image shows it; for each property that a
        caption requests, "<property> as asked", the share of such captions whose image has it; "all as asked", the
        share of the captions that are right in every respect; and "num_captions".

    Raises:
        ValueError: if images are not as described, or there is not one caption for each.
    """
    x = np.asarray(x)
    if x.ndim != 4 or x.shape[-1] != 1 or len(x) != len(captions):
        raise ValueError(
            f"`x` must hold a grey image (num, height, width, 1) for each of {len(captions)} captions, received shape "
            f"{x.shape}."
        )
    ink = x[..., 0] / (levels - 1.0)
    wanted, found = asked(captions, names), strokes.measured(ink)
    classifier = saving.load_model(SHIPPED) if classifier is None else classifier
    of_mnist = np.round(255.0 * strokes.centred(ink)).astype(np.uint8)[..., np.newaxis]
    recognised = classifier.predict(of_mnist, batch_size=500, verbose=0).argmax(axis=-1)
    right = {"digit recognised": (wanted["label"] >= 0, recognised == wanted["label"])}
    for name, of_property in limits.items():
        is_asked = ~np.isnan(wanted[name])
        right[f"{name} as asked"] = (is_asked, in_direction(found[name], wanted[name], of_property))
    figures = {name: float(holds[is_asked].mean()) for name, (is_asked, holds) in right.items() if is_asked.any()}
    every = np.all([holds | ~is_asked for is_asked, holds in right.values()], axis=0)
    return {**figures, "all as asked": float(every.mean()), "num_captions": len(x)}
