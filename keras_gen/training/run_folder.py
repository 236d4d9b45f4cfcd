"""What a run's folder holds before the run; read from files alone, so that TensorFlow need not be loaded for it."""

import enum
import json
import os
import pathlib

from keras_gen.files import path_of

#: Arguments that may change when a run is resumed.
FREE_ARGUMENTS = ("folder", "options", "epochs")


class State(enum.Enum):
    """What a folder holds that a run may use."""

    NEW = "nothing"
    UNFINISHED = "an unfinished run with the same arguments"
    FINISHED = "a finished run that more epochs train longer"
    REPLACED = "a run that is replaced"


def folder_of_run(name: str, folder: str | os.PathLike | None, config: dict) -> pathlib.Path:
    """Returns the folder of a run.

    Args:
        name: family and model, such as "autoregressive.made".
        folder: the folder that was asked for; None for `runs/<family>/<recipe>/<data set>`.
        config: the recipe's arguments.
    """
    place = (*name.split("."), *([config["model"]] if "model" in config else []))
    return path_of(folder or pathlib.Path("runs", *place, pathlib.PurePath(config["dataset"]).stem))


def state_of_folder(folder: pathlib.Path, config: dict, *, overwrite: bool, check_files: bool = True) -> State:
    """Returns what the folder of a run holds before the run.

    Args:
        folder: the folder.
        config: the run's arguments, as in `config.json`.
        overwrite: whether to replace a run that is in the folder.
        check_files: whether to reject files that are not those of a run.

    Raises:
        ValueError: if the folder holds a finished run, a run with other arguments, or something else.
    """
    config_file = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`folder` {folder} is a file; a folder is expected.")
    if not config_file.exists():
        if check_files and folder.is_dir() and any(folder.iterdir()):
            raise ValueError(f"`folder` {folder} holds other files; an empty or a new folder is expected.")
        return State.NEW
    if overwrite:
        return State.REPLACED
    earlier = json.loads(config_file.read_text(encoding="utf-8"))["arguments"]
    names = (set(earlier) | set(config)) - set(FREE_ARGUMENTS)
    changed = sorted(name for name in names if earlier.get(name) != config.get(name))
    if (folder / "metrics.json").exists():
        before, epochs = earlier.get("epochs"), config.get("epochs")
        if changed or before is None or epochs is None or epochs <= before:
            longer = "" if changed or before is None else f", --epochs above {before} trains it longer"
            raise ValueError(finished_sentence(folder, longer))
        return State.FINISHED
    # A run that stopped before training, for example because of a mistyped data set, has nothing to lose.
    if changed and [path.name for path in folder.iterdir()] != [config_file.name]:
        differences = ", ".join(f"{n} {earlier.get(n)!r} not {config.get(n)!r}" for n in changed)
        raise ValueError(
            f"`folder` {folder} holds an unfinished run with other arguments ({differences}); "
            "--overwrite replaces it, --folder names another place."
        )
    return State.UNFINISHED


def finished_sentence(folder: pathlib.Path, longer: str = "") -> str:
    """Returns the error message for a folder that holds a finished run.

    Args:
        folder: the folder.
        longer: how it may be trained longer, if it may.
    """
    return (
        f"`folder` {folder} holds a finished run: --overwrite replaces it{longer}, and another --folder starts a new "
        f"one, with --start-from {folder} from its weights."
    )
