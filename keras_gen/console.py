"""How commands end, with one sentence and an exit status in place of a traceback; their tables and progress bars."""

import contextlib
import inspect
import io
import itertools
import os
import re
import sys
import tempfile
import traceback
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


def markdown_table(rows: dict[str, dict[str, float]]) -> str:
    """Returns figures as a table in Markdown, which is also readable on a console.

    Args:
        rows: name of each row to its figures by name. The standard error of a figure, such as
            "precision_standard_error", follows it. Figures that a row lacks stay empty.
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


def formatted(value: float | None) -> str:
    """Returns a figure with four digits, an integer with all of its digits, and an empty string for None."""
    if value is None:
        return ""
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
