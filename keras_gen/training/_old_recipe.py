"""Recipes whose `main` makes its own `Run`: to be deleted when the last one has moved."""

import inspect
import sys
from collections.abc import Callable

from keras_gen.console import load_tensorflow, plain_exit


class Recipe:
    """A recipe's `main`, callable from Python and from the command line.

    Args:
        main: function of keyword arguments with defaults.
        paper: values of those that make the paper's experiment.
    """

    def __init__(self, main: Callable, paper: dict):
        unknown = set(paper) - set(inspect.signature(main).parameters)
        if unknown:
            raise TypeError(f"`paper` must name arguments of main, received {', '.join(sorted(unknown))}.")
        self.main = main
        self.paper = paper
        self.__doc__ = main.__doc__

    @property
    def name(self) -> str:
        """Family and model, such as "autoregressive.made"."""
        spec = self.main.__globals__.get("__spec__")
        module = spec.name if spec is not None else self.main.__module__
        return module.removeprefix("recipes.")

    def __call__(self, *, paper: bool = False, **arguments):
        """Runs the recipe; with `paper`, arguments that are not given take the paper's values."""
        return self.main(**{**(self.paper if paper else {}), **arguments})

    def cli(self, arguments: list[str] | None = None) -> None:
        """Runs the recipe with flags from the command line, and exits with a sentence at a mistake."""
        import tyro

        arguments = sys.argv[1:] if arguments is None else arguments
        with plain_exit():
            tyro.cli(
                self.with_flags("--paper" in arguments),
                args=arguments,
                prog=f"python -m recipes.{self.name}",
                description=inspect.getdoc(inspect.getmodule(self.main)) or self.main.__doc__,
                config=(tyro.conf.OmitArgPrefixes,),
            )

    def with_flags(self, paper: bool) -> Callable:
        """Returns `main` with its defaults for the command line, and a flag `--paper`."""
        signature = inspect.signature(self.main)
        defaults = self.paper if paper else {}
        parameters = [
            parameter.replace(default=defaults.get(name, parameter.default), kind=inspect.Parameter.KEYWORD_ONLY)
            for name, parameter in signature.parameters.items()
        ]
        flag = inspect.Parameter("paper", inspect.Parameter.KEYWORD_ONLY, default=False, annotation=bool)

        def main(*, paper: bool = False, **arguments):
            load_tensorflow()
            return self.main(**arguments)

        main.__signature__ = signature.replace(parameters=[*parameters, flag])
        main.__annotations__ = {**self.main.__annotations__, "paper": bool}
        main.__doc__ = (
            f"{inspect.cleandoc(self.main.__doc__)}\n    paper: use the paper's value for each flag that is not given."
        )
        return main
