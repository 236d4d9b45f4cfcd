"""All families on the same data: the models of digits that come with the package; writes results/families.json.

python -m benchmarks.families [made-digits ...]    all of them, or those named; benchmarks.tables writes the table

All images are compared as 8×8 bits, which half of the models draw: grey ones with 17 levels, of models and of the data,
are thresholded in the middle. They are compared by the last hidden layer of a small classifier, which is trained here
on the training digits. Each model draws as many images as there are digits, which are compared with the held-out
digits. Times are those of `model.sample`, and of the LiteRT file if one call of it draws an image, after all have run
before: the shortest of many calls, which other work on the machine hardly changes.
"""

import dataclasses
import json
import os
import pathlib
import re
import sys

import keras
import numpy as np
from ai_edge_litert.interpreter import Interpreter

import keras_gen
from benchmarks import timing
from keras_gen import data, evaluation, files, shipped
from keras_gen.core import Model
from keras_gen.evaluation import restoration
from keras_gen.evaluation.features import Features
from keras_gen.translation import Pix2Pix

RESULTS = pathlib.Path(__file__).parents[1] / "results" / "families.json"

#: Number of images in the batch whose time is divided by this number.
BATCH_SIZE = 64


@dataclasses.dataclass(frozen=True)
class Digits:
    """Digits as bits, with the classifier that compares a model's images with them."""

    splits: data.Splits
    #: Held-out digits.
    reference: Features
    #: Share of the test digits that the classifier recognises.
    accuracy: float

    @classmethod
    def prepared(cls) -> "Digits":
        """Returns the digits with a classifier trained on them."""
        splits = data.load("digits", binarization="threshold", labels=True)
        judge = evaluation.Classifier((8, 8, 1), 10, 2, num_features=32, seed=0)
        judge.compile(keras.optimizers.Adam(0.003))
        judge.fit(splits.train_from(0), steps_per_epoch=splits.steps_per_epoch, epochs=30, verbose=0)
        accuracy = judge.evaluate(splits.test, verbose=0, return_dict=True)["accuracy"]
        held_out = np.concatenate([splits.array("validation"), splits.array("test")])
        return cls(splits, evaluation.image_features(held_out, judge, levels=2), accuracy)

    @property
    def num(self) -> int:
        """Number of digits."""
        return sum(self.splits.size(split) for split in ("train", "validation", "test"))

    def quality(self, images: np.ndarray) -> dict[str, float]:
        """Returns the distances of bits from held-out digits."""
        found = evaluation.sample_quality(images, self.reference, levels=2)
        names = ("frechet_distance", "kernel_distance", "kernel_distance_standard_error", "num_samples")
        return {name: found[name] for name in names}


def bits(images: np.ndarray, levels: int) -> np.ndarray:
    """Returns integer levels as bits, as `Splits.binarized` does by a threshold."""
    return (np.asarray(images) / (levels - 1) >= 0.5).astype(np.float32)


def drawn(model: Model, num: int, **options) -> np.ndarray:
    """Returns images that a model draws, as bits."""
    starts = range(0, num, 500)
    batches = [model.sample_on_examples(min(500, num - start), seed=(0, start), **options) for start in starts]
    return bits(np.concatenate(batches), model.levels)


def enlarged(model: Pix2Pix) -> np.ndarray:
    """Returns all digits, as bits, enlarged by a model from a quarter of their size."""
    grey = data.load("digits")
    small = restoration.downsampled(np.concatenate([grey.array(name) for name in ("train", "validation", "test")]), 2)
    return bits(model.translate(small), 17)


def milliseconds(model: Model, file: pathlib.Path) -> dict[str, float]:
    """Returns the time for an image: alone, in a batch, and by a LiteRT file that draws one per call."""
    if isinstance(model, Pix2Pix):
        x = {num: model.source_space.examples(num) for num in (1, BATCH_SIZE)}
        one, many = timing.best_seconds([lambda: model.translate(x[1]), lambda: model.translate(x[BATCH_SIZE])], 20)
    else:
        calls = [lambda num=num: model.sample_on_examples(num, seed=0) for num in (1, BATCH_SIZE)]
        one, many = timing.best_seconds(calls, 20)
    found = {"alone": 1e3 * one, "in a batch": 1e3 * many / BATCH_SIZE}
    interpreter = Interpreter(str(file), num_threads=1)
    (name,) = {"generate", "translate"} & set(interpreter.get_signature_list()) or {None}
    if name is not None:
        runner = interpreter.get_signature_runner(name)
        inputs = {key: np.zeros(it["shape"], it["dtype"]) for key, it in runner.get_input_details().items()}
        (seconds,) = timing.best_seconds([lambda: next(iter(runner(**inputs).values()))], 20)
        found["LiteRT"] = 1e3 * seconds
    return found


def row(digits: Digits, name: str) -> dict:
    """Returns the table's entries for a model."""
    folder, model = shipped.models()[name], keras_gen.load_model(name)
    images = enlarged(model) if isinstance(model, Pix2Pix) else drawn(model, digits.num)
    file = folder / "model.tflite"
    return {**digits.quality(images), "milliseconds": milliseconds(model, file), "litert_bytes": file.stat().st_size}


def draws_digits(name: str) -> bool:
    """Returns whether a model makes digits of 8×8 pixels, from noise or from smaller ones."""
    model = keras_gen.load_model(name)
    space = model.target_space if isinstance(model, Pix2Pix) else model.spaces["x"]
    return "digits" in name and space.shape == (8, 8, 1) and bool({"sample", "translate"} & set(model.signatures()))


def machine() -> str:
    """Returns the processor's name and the number of cores."""
    found = re.search(r"model name\s*:\s*(.*)", pathlib.Path("/proc/cpuinfo").read_text(encoding="utf-8"))
    return f"{os.cpu_count()} cores of {found[1] if found else 'an unknown processor'}"


def main(names: list[str]) -> None:
    digits = Digits.prepared()
    train = digits.splits.array("train")
    found = json.loads(RESULTS.read_text(encoding="utf-8")) if names and RESULTS.is_file() else {"models": {}}
    shuffled = np.random.default_rng(0).permuted(train, axis=0)
    found |= {
        "machine": machine(),
        "batch_size": BATCH_SIZE,
        "num_reference": digits.reference.moments.num,
        "classifier_accuracy": digits.accuracy,
        "training digits": digits.quality(train),
        "shuffled pixels": digits.quality(shuffled),
    }
    for name in names or [name for name in shipped.models() if draws_digits(name)]:
        found["models"][name] = row(digits, name)
        print(name, json.dumps(found["models"][name]), flush=True)
    found["models"] = {name: found["models"][name] for name in shipped.models() if name in found["models"]}
    files.write_json(RESULTS, found)


if __name__ == "__main__":
    main(sys.argv[1:])
