"""How commands end, with one sentence and an exit status in place of a traceback; their tables and progress bars."""

import contextlib
import dataclasses
import inspect
import io
import itertools
import os
import re
import sys
import tempfile
import traceback
import types
import typing
from collections.abc import Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")


@contextlib.contextmanager
def plain_exit(arguments: Iterable[str] = ()) -> Iterator[None]:
    """Ends the process with one sentence when the user, the data, the disk or TensorFlow is at fault.

    The flag --debug, or KERAS_GEN_TRACEBACK=1 in the environment, shows where the error came from.

    Args:
        arguments: names of arguments that are flags of the command; the sentence refers to them as flags.
    """
    for stream in (sys.stdout, sys.stderr):
        # A console whose encoding lacks a character shows a replacement.
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    try:
        yield
        sys.stdout.flush()
    except BrokenPipeError:
        # What reads the output, such as `head`, has ended. Python flushes once more at its exit, which must not fail.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(1)
    except KeyboardInterrupt:
        print("\nInterrupted; the same command resumes from the last checkpoint, if there is one.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError, ArithmeticError, RuntimeError, *tensorflow_errors()) as error:
        if os.environ.get("KERAS_GEN_TRACEBACK"):
            traceback.print_exc()
        print(f"error: {with_flags(sentence_of(error), arguments)}", file=sys.stderr)
        sys.exit(1)


def without_debug(flags: list[str]) -> list[str]:
    """Returns flags without --debug, which makes errors show where they came from."""
    if "--debug" in flags:
        os.environ["KERAS_GEN_TRACEBACK"] = "1"
    return [flag for flag in flags if flag != "--debug"]


def with_flags(sentence: str, arguments: Iterable[str]) -> str:
    """Returns a sentence that refers to arguments by their flags: --batch-size in place of `batch_size`.

    Args:
        sentence: message of an error.
        arguments: names of arguments that are flags of the command.
    """
    arguments = set(arguments)

    def named(match):
        # A recipe's --dataset is the argument `name` of `data.load`.
        argument = "dataset" if match[1] == "name" else match[1]
        return f"--{argument.replace('_', '-')}" if argument in arguments else match[0]

    return re.sub(r"`(\w+)`", named, sentence, count=1)


def flowing(docstring: str) -> str:
    """Returns a docstring with each argument on one line, which help wraps to its own width."""
    return re.sub(r"\n {8,}(?=\S)", " ", inspect.cleandoc(docstring))


def number_rules():
    """Returns rules of tyro by which a flag that takes numbers says what it expects if it receives something else."""
    import tyro.constructors

    registry, looked_up = tyro.constructors.ConstructorRegistry(), []

    @registry.primitive_rule
    def rule(info: tyro.constructors.PrimitiveTypeInfo) -> tyro.constructors.PrimitiveConstructorSpec | None:
        expected = numbers_expected(info.type)
        if expected is None or info.type in looked_up:
            return None
        # The usual rule of the type, with another message.
        looked_up.append(info.type)
        usual = registry.get_primitive_spec(info)
        looked_up.remove(info.type)

        def parsed(words: list[str]):
            try:
                return usual.instance_from_str(words)
            except ValueError:
                raise ValueError(f"{expected} is expected, received {' '.join(words)!r}.") from None

        return dataclasses.replace(usual, instance_from_str=parsed)

    return registry


def numbers_expected(kind) -> str | None:
    """Returns in words what a flag of a type expects; None if it takes something besides numbers and None."""
    if kind in (int, float):
        return "a whole number" if kind is int else "a number"
    if kind is type(None):
        return "None"
    origin, of = typing.get_origin(kind), typing.get_args(kind)
    parts = [numbers_expected(each) for each in of if each is not ...]
    if None in parts or origin not in (tuple, types.UnionType, typing.Union):
        return None
    if origin is tuple:
        kinds = parts[0].removeprefix("a ") + "s"
        return f"a list of {kinds}" if ... in of else f"a pair of {kinds}" if len(of) == 2 else None
    # None comes last, whatever the order of the annotation.
    return " or ".join(sorted(parts, key=lambda part: part == "None"))


def tensorflow_errors() -> tuple[type[Exception], ...]:
    """Returns the errors of TensorFlow's operations, if TensorFlow is loaded."""
    tensorflow = sys.modules.get("tensorflow")
    return () if tensorflow is None else (tensorflow.errors.OpError,)


def sentence_of(error: Exception) -> str:
    """Returns the message of an error in one sentence.

    An error in a graph is wrapped in the names of operations and in a trace; these may contain a sentence of ours, from
    a check in the graph. Otherwise TensorFlow's message comes last, before the names of operations.
    """
    if not isinstance(error, tensorflow_errors()):
        return str(error)
    text = str(error.message)
    ours = re.search(r"`[\w. ]+`:? (holds|must|is|needs)\b[^\n\]]*?[.](?=[\s\]'\"]|$)", text)
    if ours:
        return ours.group(0)
    lines = [re.sub(r"\{\{.*?\}\}", "", line).strip() for line in text.splitlines()]
    said = [line for line in lines if line and not line.startswith(("[[", "File ", "Stack trace"))]
    last = said[-1] if said else type(error).__name__
    return f"TensorFlow stopped: {last.rstrip('.')}. --debug shows where."


def counted(number: int, noun: str) -> str:
    """Returns a number of things in words: "1 epoch", "1,200 epochs"."""
    return f"{number:,} {noun}" + "s" * (number != 1)


def markdown_table(rows: dict[str, dict[str, float | str]]) -> str:
    """Returns figures as a table in Markdown, which is also readable on a console.

    Args:
        rows: name of each row to its figures by name. The standard error of a figure, such as
            "precision_standard_error", follows it. Figures that a row lacks stay empty. A figure may also be text.
    """
    import rich.box
    import rich.console
    import rich.table

    suffix = "_standard_error"
    figures = [name for name in dict.fromkeys(itertools.chain(*rows.values())) if not name.endswith(suffix)]
    table = rich.table.Table("", box=rich.box.MARKDOWN)
    for figure in figures:
        table.add_column(figure.replace("_", " "), justify="right")
    for name, row in rows.items():
        cells = []
        for figure in figures:
            value, error = (formatted(row.get(key)) for key in (figure, figure + suffix))
            cells.append(f"{value} ± {error}" if error else value)
        table.add_row(name, *cells)
    text = io.StringIO()
    rich.console.Console(file=text, width=10_000, markup=False).print(table)
    return "\n".join(line.rstrip() for line in text.getvalue().splitlines() if line.strip()) + "\n"


def formatted(value: float | str | None) -> str:
    """Returns a figure with four digits, an integer with all of its digits, text as it is, and "" for None."""
    if value is None or isinstance(value, str):
        return value or ""
    return f"{value:,}" if isinstance(value, int) else f"{value:.4g}"


def load_tensorflow() -> None:
    """Imports TensorFlow without the lines that its libraries print while loading."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with hushed():
        import keras  # noqa: F401
        import tensorflow_probability

        # TFP loads its modules only at their first use.
        _ = tensorflow_probability.distributions


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Hides what libraries write to the standard error stream, but shows it if an import fails."""
    sys.stderr.flush()
    visible = os.dup(2)
    with tempfile.TemporaryFile() as log:
        os.dup2(log.fileno(), 2)
        try:
            yield
        except ImportError:
            log.seek(0)
            os.write(visible, log.read())
            raise
        finally:
            sys.stderr.flush()
            os.dup2(visible, 2)
            os.close(visible)


def tracked(items: Iterable[T], title: str, total: int | None = None, *, transient: bool = False) -> Iterator[T]:
    """Yields items, and shows how many have been yielded.

    Args:
        items: the items.
        title: what is done with them.
        total: their number; None takes their length, if they have one.
        transient: whether the display disappears at the end.

    Nothing is shown without a terminal: in a pipe or a file.
    """
    import rich.console
    import rich.progress

    console = rich.console.Console(stderr=True)
    quiet = not console.is_terminal
    yield from rich.progress.track(items, title, total=total, console=console, transient=transient, disable=quiet)
