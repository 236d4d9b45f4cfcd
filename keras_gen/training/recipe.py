"""Turns a recipe's `main(...)` into a command with flags."""

import argparse
import dataclasses
import functools
import inspect
import json
import os
import sys
from collections.abc import Callable
from typing import Literal

from keras_gen.console import flowing, load_tensorflow, number_rules, plain_exit, without_debug
from keras_gen.training.arguments import Options, check_values, flat, replaced
from keras_gen.training.run_folder import folder_of_run, state_of_folder

#: Help of the arguments that every recipe takes in addition to its own.
SHARED_HELP = """
    seed: seed of everything random.
    folder: folder of the run; by default runs/<family>/<recipe>/<data set>, with the model's name before the data set
        where a recipe has several.
"""

#: What each preset is, by name.
PRESETS_HELP = {
    "paper": "the paper's data and settings",
    "two_cores": "what two cores train in less than an hour or so",
}


class Recipe:
    """A recipe's `main`, callable from Python and from the command line.

    Args:
        main: function of a `Run` and of keyword arguments with defaults: single ones, or groups such as
            `training.Schedule`.
        options: default options of training.
        presets: for each preset, values of arguments or of fields of groups that replace the defaults.
    """

    def __init__(self, main: Callable, options: Options, presets: dict[str, dict]):
        self.main = main
        _, *self.parameters = inspect.signature(main).parameters.values()
        own = {parameter.name: parameter.default for parameter in self.parameters}
        self.defaults = {**own, "seed": 0, "folder": None, "options": options}
        for name, values in presets.items():
            unknown = set(values) - set(self.defaults) - set(flat(self.defaults))
            if unknown:
                raise TypeError(f"`{name}` must name arguments of main, received {', '.join(sorted(unknown))}.")
        self.presets = presets
        self.__doc__ = main.__doc__

    @property
    def name(self) -> str:
        """Family and model, such as "autoregressive.made"."""
        spec = self.main.__globals__.get("__spec__")
        module = spec.name if spec is not None else self.main.__module__
        return module.removeprefix("keras_gen.").removeprefix("recipes.")

    def defaults_of(self, preset: str | None) -> dict:
        """Returns the default values of arguments.

        Args:
            preset: name of a preset; None for none.

        Raises:
            ValueError: if the recipe has no such preset.
        """
        if preset is None:
            return self.defaults
        if preset not in self.presets:
            known = " or ".join(f'"{name}"' for name in self.presets) or "none, as this recipe has no presets"
            raise ValueError(f'`preset` must be {known}; received "{preset}".')
        return replaced(self.defaults, self.presets[preset])

    def __call__(self, *, preset: str | None = None, **arguments):
        """Runs the recipe.

        Args:
            preset: "paper" or "two_cores", whose values are used for arguments that are not given; None for the
                defaults.
            **arguments: arguments of main, or fields of its groups; "seed", "folder", and "options" or its fields.

        Raises:
            ValueError: if the recipe has no such preset.
        """
        from keras_gen.training.run import Run

        arguments = replaced(self.defaults_of(preset), arguments)
        check_values(flat(arguments))
        config, options = config_of(arguments), arguments.pop("options")
        run = Run(self.name, arguments.pop("folder"), config, options, defaults=flat(self.defaults))
        del arguments["seed"]
        return self.main(run, **arguments)

    def cli(self, arguments: list[str] | None = None, *, command: str | None = None) -> None:
        """Runs the recipe with flags from the command line; an error ends it with one sentence.

        Args:
            arguments: the flags; None takes those of the process.
            command: what was typed before the flags; None for `python -m recipes.FAMILY.NAME`.
        """
        with plain_exit([*flat(self.defaults), "preset", "paper"]):
            chosen = self.parsed(without_debug(sys.argv[1:] if arguments is None else arguments), command)
            # What can be checked at once need not wait for TensorFlow.
            check_values(flat(chosen))
            self.check_folder(**chosen)
            load_tensorflow()
            self(**chosen)

    def check_folder(self, *, preset: str | None = None, **arguments) -> None:
        """Raises an error, as `Run` does, if the folder holds something that the run would not replace or resume."""
        arguments = replaced(self.defaults_of(preset), arguments)
        config, options = config_of(arguments), arguments["options"]
        # Other workers may already have begun to write.
        alone = options.strategy in ("auto", "one", "mirrored") and "TF_CONFIG" not in os.environ
        folder = folder_of_run(self.name, arguments["folder"], config)
        state_of_folder(folder, config, overwrite=options.overwrite, check_files=alone)

    def parsed(self, flags: list[str], command: str | None = None) -> dict:
        """Returns the arguments that flags set; exits on an unknown flag, and after help.

        Args:
            flags: the flags.
            command: as in `cli`.
        """
        module = f"python -m recipes.{self.name}"
        command = command or module
        import tyro

        # The preset determines which defaults the help of the other flags shows.
        chooser = argparse.ArgumentParser(add_help=False, allow_abbrev=False, exit_on_error=False)
        chooser.add_argument("--preset", nargs="?")
        chooser.add_argument("--paper", action="store_true")
        chosen, _ = chooser.parse_known_args(flags)
        preset = "paper" if chosen.paper else chosen.preset
        if {"-h", "--help"} & set(flags):
            # Printed here, commands and tables keep their lines, which the parser would rewrap.
            print(self.description().replace(module, command) + "\n")
        arguments = tyro.cli(
            self.with_flags(preset if preset in self.presets else None),
            args=flags,
            prog=command,
            description="",
            config=(tyro.conf.OmitArgPrefixes,),
            registry=number_rules(),
        )
        arguments["options"] = arguments.pop("running")
        if arguments.pop("paper", False):
            if arguments["preset"] not in (None, "paper"):
                other = arguments["preset"]
                raise ValueError(f"`--paper` is the same as `--preset paper`; received `--preset {other}`, too.")
            arguments["preset"] = "paper"
        return arguments

    def description(self) -> str:
        """Returns the help text before the flags: the recipe's docstring and the values of its presets."""
        lines = [inspect.getdoc(inspect.getmodule(self.main)) or self.main.__doc__]
        for name, values in self.presets.items():
            lines.append(f"--preset {name}: " + ", ".join(f"{key} {value}" for key, value in values.items()))
        return "\n\n".join(lines)

    def with_flags(self, preset: str | None) -> Callable[..., dict]:
        """Returns a function that returns its arguments: those of the recipe, and the preset if it has any.

        The options are called "running" because help names a group after its argument: "running options".
        """
        defaults = dict(self.defaults_of(preset))
        defaults["running"] = defaults.pop("options")
        types = {parameter.name: parameter.annotation for parameter in self.parameters}
        types |= {"seed": int, "folder": str | None, "running": Options}
        for group in filter(dataclasses.is_dataclass, types.values()):
            for base in filter(dataclasses.is_dataclass, group.__mro__):
                describe_fields(base)
        if self.presets:
            defaults = {**defaults, "preset": None}
            types["preset"] = Literal[tuple(self.presets)] | None
        if "paper" in self.presets:
            defaults["paper"] = False
            types["paper"] = bool

        def main(**arguments):
            return arguments

        main.__signature__ = inspect.Signature(
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
            for name, annotation in types.items()
        )
        main.__annotations__ = types
        help_text = inspect.cleandoc(self.main.__doc__)
        main.__doc__ = help_text + ("" if "\nArgs:\n" in help_text else "\n\nArgs:") + SHARED_HELP
        if self.presets:
            told = ", ".join(f"{name} for {PRESETS_HELP[name]}" for name in self.presets)
            main.__doc__ += f"    preset: values of the flags that are not given: {told}.\n"
        if "paper" in self.presets:
            main.__doc__ += "    paper: the same as `--preset paper`.\n"
        main.__doc__ = flowing(main.__doc__)
        return main


def config_of(arguments: dict) -> dict:
    """Returns the arguments of a recipe, among them its options, as its run's `config.json` has them."""
    plain = {name: argument for name, argument in arguments.items() if name != "options"}
    config = {**flat(plain), "options": dataclasses.asdict(arguments["options"])}
    return json.loads(json.dumps(config, default=os.fspath))


@functools.cache
def describe_fields(group: type) -> None:
    """Adds the docstrings of a dataclass's fields to its own, once, each in one line that help can wrap."""
    import docstring_parser

    fields = [
        f"    {field.arg_name}: {' '.join(field.description.split())}"
        for field in docstring_parser.parse_from_object(group).params
    ]
    group.__doc__ = "\n".join([inspect.cleandoc(group.__doc__), "", "Attributes:", *fields])


def recipe(
    *, options: Options | None = None, paper: dict | None = None, two_cores: dict | None = None
) -> Callable[[Callable], Recipe]:
    """Decorates the `main` of a recipe.

    Args:
        options: default options of training; None takes the defaults.
        paper: the paper's data and settings: values of arguments of main, or of fields of its groups. None if the
            recipe does not repeat the experiment of a paper.
        two_cores: the values that differ from the paper's in an experiment that two cores can run; None for none.
    """
    presets = {} if paper is None else {"paper": paper}
    if two_cores is not None:
        presets["two_cores"] = {**presets.get("paper", {}), **two_cores}
    return lambda main: Recipe(main, options or Options(), presets)


def component(text: str | None) -> str | dict | None:
    """Returns a model's component given by a flag, such as a prior: its name, or the parsed JSON of name and arguments.

    Raises:
        ValueError: if `text` begins like JSON but is not.
    """
    if text is None or not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'`{text}` must be a name, or JSON such as {{"name": "..."}}: {error}.') from None
