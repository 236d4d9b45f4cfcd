"""How commands end: a sentence and an exit status, without a traceback."""

import contextlib
import os
import sys
import tempfile
import traceback
from collections.abc import Iterator


@contextlib.contextmanager
def plain_exit() -> Iterator[None]:
    """Ends the process with one sentence when the user, the data or the disk is at fault.

    Set KERAS_GEN_TRACEBACK=1 to see where the error came from.
    """
    try:
        yield
    except KeyboardInterrupt:
        print("\nInterrupted; the same command goes on from the last finished epoch.", file=sys.stderr)
        sys.exit(130)
    except (ValueError, TypeError, OSError, ArithmeticError, RuntimeError) as error:
        if os.environ.get("KERAS_GEN_TRACEBACK"):
            traceback.print_exc()
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)


def load_tensorflow() -> None:
    """Imports TensorFlow without the lines that its libraries print while they are loaded."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
    with hushed():
        import keras  # noqa: F401
        import tensorflow_probability

        # TFP waits for the first use of its modules to load them.
        _ = tensorflow_probability.distributions


@contextlib.contextmanager
def hushed() -> Iterator[None]:
    """Hides what libraries write to the standard error stream, and shows it after all if an import fails."""
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
