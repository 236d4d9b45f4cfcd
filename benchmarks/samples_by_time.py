"""Samples against training time, for models of three families on digits.

python -m benchmarks.samples_by_time    results/samples_by_time.json and docs/images/samples_by_time.png

Each is trained as its recipe does by default, except for the number of epochs and a constant learning rate. After some
of the epochs, it draws images from the same eight noises again, and as many images as there are digits, which are
evaluated like those of benchmarks.families. Seconds are those of training only.
"""

import pathlib
import time

import keras
import matplotlib

matplotlib.use("agg")

import matplotlib.pyplot as plt
import numpy as np

from benchmarks import families
from keras_gen import adversarial, autoregressive, data, files, latent
from keras_gen.core import GenerativeModel

ROOT = pathlib.Path(__file__).parents[1]

#: Epochs after which samples are drawn.
EPOCHS = (1, 3, 10, 30, 100)


class Snapshots(keras.callbacks.Callback):
    """Keeps samples and their quality after some epochs, and the seconds of training until then."""

    def __init__(self, digits: families.Digits):
        super().__init__()
        self.digits = digits
        self.seconds, self.started = 0.0, 0.0
        self.found, self.pictures = {}, {}

    def on_epoch_begin(self, epoch, logs=None):
        self.started = time.perf_counter()

    def on_epoch_end(self, epoch, logs=None):
        self.seconds += time.perf_counter() - self.started
        if epoch + 1 in EPOCHS:
            self.pictures[epoch + 1] = np.asarray(self.model.sample(8, seed=0)) / (self.model.levels - 1)
            quality = self.digits.quality(families.drawn(self.model, self.digits.num))
            self.found[str(epoch + 1)] = {"seconds": round(self.seconds, 2), **quality}


def models() -> dict[str, tuple[GenerativeModel, data.Splits]]:
    """Returns compiled models and their training data, by name."""
    bits = data.load("digits", binarization="threshold", batch_size=100)
    grey = data.load("digits", batch_size=64)
    made = autoregressive.MADE((8, 8, 1), (500,), seed=0)
    made.compile(keras.optimizers.AdamW(0.002, weight_decay=0.0))
    vae = latent.VAE((8, 8, 1), 10, hidden_units=(200, 200), activation="silu", seed=0)
    vae.compile(keras.optimizers.Adam(0.002))
    gan = adversarial.DCGAN((8, 8, 1), 17, latent_size=32, filters=(16, 32), seed=0)
    gan.compile(keras.optimizers.Adam(0.001, 0.5), keras.optimizers.Adam(0.001, 0.5))
    return {"MADE": (made, bits), "VAE": (vae, bits), "DCGAN": (gan, grey)}


def plot(found: dict, pictures: dict, path: pathlib.Path) -> None:
    """Draws the samples of each model in a row, with the seconds and the Fréchet distance above them."""
    figure, axes = plt.subplots(len(found), len(EPOCHS), figsize=(9.5, 1.25 * len(found) + 0.4), layout="constrained")
    for row, (name, rounds) in zip(axes, found.items(), strict=True):
        row[0].set_ylabel(name)
        for place, (epoch, it) in zip(row, rounds.items(), strict=True):
            x = pictures[name][int(epoch)][..., 0]
            grid = np.pad(x, ((0, 0), (1, 1), (1, 1)), constant_values=0.5).reshape(2, 4, 10, 10)
            place.imshow(grid.swapaxes(1, 2).reshape(20, 40), cmap="gray", vmin=0.0, vmax=1.0)
            place.set(xticks=[], yticks=[])
            place.set_title(f"{it['seconds']:.1f} s: {it['frechet_distance']:.1f}", fontsize=9)
    figure.suptitle("after 1, 3, 10, 30 and 100 epochs; seconds of training: Fréchet distance", fontsize=10)
    figure.savefig(path, dpi=110)


def main() -> None:
    digits = families.Digits.prepared()
    found, pictures = {}, {}
    for name, (model, splits) in models().items():
        snapshots = Snapshots(digits)
        steps = splits.steps_per_epoch
        model.fit(splits.train_from(0), epochs=EPOCHS[-1], steps_per_epoch=steps, verbose=0, callbacks=[snapshots])
        found[name], pictures[name] = snapshots.found, snapshots.pictures
        print(name, {epoch: (it["seconds"], it["frechet_distance"]) for epoch, it in found[name].items()}, flush=True)
    files.write_json(ROOT / "results" / "samples_by_time.json", {"machine": families.machine(), "models": found})
    plot(found, pictures, ROOT / "docs" / "images" / "samples_by_time.png")


if __name__ == "__main__":
    main()
