"""From a recipe's `main(...)` to a command with flags."""

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable

from keras_gen.console import load_tensorflow, plain_exit
from keras_gen.training.arguments import Options, flat, replaced

#: What every recipe takes beside its own arguments.
SHARED_HELP = """
    seed: seed of everything random.
    folder: folder of the run; by default runs/<family>/<recipe>/<data set>, with the model's name before the data set
        where a recipe has several.
    paper: use the paper's value for each flag that is not given.
"""


class Recipe:
    """A recipe's `main`, callable from Python and from the command line.

    Args:
        main: function of a `Run`, and of keyword arguments with defaults, single ones or groups such as
            `training.Schedule`.
        options: how to train, unless told otherwise.
        paper: values, of arguments or fields of groups, that make the paper's experiment.
    """

    def __init__(self, main: Callable, options: Options, paper: dict):
        self.main = main
        _, *self.parameters = inspect.signature(main).parameters.values()
        own = {parameter.name: parameter.default for parameter in self.parameters}
        self.defaults = {**own, "seed": 0, "folder": None, "options": options}
        unknown = set(paper) - set(self.defaults) - set(flat(self.defaults))
        if unknown:
            raise TypeError(f"`paper` must name arguments of main, received {', '.join(sorted(unknown))}.")
        self.paper = paper
        self.__doc__ = main.__doc__

    @property
    def name(self) -> str:
        """Family and model, such as "autoregressive.made"."""
        spec = self.main.__globals__.get("__spec__")
        module = spec.name if spec is not None else self.main.__module__
        return module.removeprefix("recipes.")

    def __call__(self, *, paper: bool = False, **arguments):
        """Runs the recipe.

        Args:
            paper: whether arguments that are not given take the paper's values.
            **arguments: arguments of main, or fields of its groups; "seed", "folder", and "options" or its fields.
        """
        from keras_gen.training.run import Run

        defaults = replaced(self.defaults, self.paper) if paper else self.defaults
        arguments = replaced(defaults, arguments)
        options = arguments.pop("options")
        config = {**flat(arguments), "options": dataclasses.asdict(options)}
        run = Run(self.name, arguments.pop("folder"), config, options)
        del arguments["seed"]
        return self.main(run, **arguments)

    def cli(self, arguments: list[str] | None = None) -> None:
        """Runs the recipe with flags from the command line, and exits with a sentence at a mistake."""
        with plain_exit():
            chosen = self.parsed(sys.argv[1:] if arguments is None else arguments)
            load_tensorflow()
            self(**chosen)

    def parsed(self, flags: list[str]) -> dict:
        """Returns the arguments that flags stand for; exits at a flag that there is not, and after help."""
        import tyro

        return tyro.cli(
            self.with_flags("--paper" in flags),
            args=flags,
            prog=f"python -m recipes.{self.name}",
            description=inspect.getdoc(inspect.getmodule(self.main)) or self.main.__doc__,
            config=(tyro.conf.OmitArgPrefixes,),
        )

    def with_flags(self, paper: bool) -> Callable[..., dict]:
        """Returns a function that returns its arguments: those of the recipe, and whether they are the paper's."""
        defaults = replaced(self.defaults, self.paper) if paper else self.defaults
        types = {parameter.name: parameter.annotation for parameter in self.parameters}
        types |= {"seed": int, "folder": str | None, "options": Options}

        def main(*, paper: bool = False, **arguments):
            return arguments

        parameters = [
            inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=defaults[name], annotation=annotation)
            for name, annotation in types.items()
        ]
        flag = inspect.Parameter("paper", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)
        main.__signature__ = inspect.Signature([*parameters, flag])
        main.__annotations__ = {**types, "paper": bool}
        help_text = inspect.cleandoc(self.main.__doc__)
        main.__doc__ = help_text + ("" if "\nArgs:\n" in help_text else "\n\nArgs:") + SHARED_HELP
        return main


def recipe(*, options: Options | None = None, **paper) -> Callable[[Callable], Recipe]:
    """Decorates the `main` of a recipe.

    Args:
        options: how to train, unless told otherwise; None takes the defaults.
        **paper: the paper's values of arguments of main, or of fields of its groups.
    """
    return lambda main: Recipe(main, options or Options(), paper)


def component(text: str | None) -> str | dict | None:
    """Returns what a flag says of a component of a model, such as a prior: its name, or the JSON of name and arguments.

    Raises:
        ValueError: if `text` begins as JSON and is none.
    """
    if text is None or not text.startswith("{"):
        return text
    try:
        return json.loads(text)
    except json.JSONDecodeError as error:
        raise ValueError(f'`{text}` must be a name, or JSON such as {{"name": "..."}}: {error}.') from None
