"""Makes a folder of saved_models/ from a finished run, under the name of the model: what users get.

python -m benchmarks.ship runs/autoregressive/made/digits saved_models/autoregressive/made-digits [RUN PLACE ...]

A run trains with the recipe's own command, which its card repeats. The folder has the card, figures and picture; the
model without the optimizer's state, which only the same training would need; the LiteRT file; the SavedModel if the
whole folder stays below 1 MB with it; and SHA256SUMS, which `sha256sum --check SHA256SUMS` reads.
"""

import hashlib
import pathlib
import shutil
import sys
import tempfile

import keras_gen
from keras_gen import export, files, hub
from keras_gen.core import saving
from keras_gen.training import card

#: Largest size of a folder in bytes, and the part of it allowed for SHA256SUMS.
MOST_BYTES, SPARE_BYTES = 1_000_000, 2_000


def num_bytes(folder: pathlib.Path) -> int:
    """Returns the total size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def checksums(folder: pathlib.Path) -> str:
    """Returns the checksum of each file of a folder except SHA256SUMS, in the format of `sha256sum`."""
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and path.name != "SHA256SUMS")
    return "".join(
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  {path.relative_to(folder).as_posix()}\n" for path in paths
    )


def ship(run: pathlib.Path, place: pathlib.Path) -> int:
    """Makes the folder and returns its size in bytes.

    Args:
        run: folder of a finished run.
        place: the folder, which must not exist yet.

    Raises:
        FileExistsError: if it exists.
        FileNotFoundError: if the run is not finished.
        ValueError: if it would be too large.
    """
    if place.exists():
        raise FileExistsError(f"`place` {place} exists; remove it first.")
    if not (run / "metrics.json").is_file():
        raise FileNotFoundError(f"`run` {run} holds no finished run: there is no metrics.json.")
    model = saving.without_optimizers(keras_gen.load_model(run))
    with files.atomic_folder(place) as folder, tempfile.TemporaryDirectory() as aside:
        hub.copy_parts(run, folder)
        saving.save_model(model, folder / "model.keras")
        served = pathlib.Path(aside, "saved_model")
        export.saved_model(model, served)
        if num_bytes(folder) + num_bytes(served) < MOST_BYTES - SPARE_BYTES:
            shutil.move(served, folder / "saved_model")
        else:
            text = (folder / "README.md").read_text(encoding="utf-8")
            command = f"`keras-gen export {place.name} --output models/{place.name}` writes a SavedModel for TF Serving"
            (folder / "README.md").write_text(
                text.replace(card.SERVED, f"{command}; `model.tflite` is for LiteRT."), encoding="utf-8"
            )
        (folder / "SHA256SUMS").write_text(checksums(folder), encoding="utf-8")
        size = num_bytes(folder)
        if size >= MOST_BYTES:
            raise ValueError(
                f"`run` {run} has {size:,} bytes of model and card; fewer than {MOST_BYTES:,} are expected."
            )
    return size


if __name__ == "__main__":
    paths = [pathlib.Path(argument) for argument in sys.argv[1:]]
    for run, place in zip(paths[::2], paths[1::2], strict=True):
        print(f"{place}: {ship(run, place):,} bytes", flush=True)
