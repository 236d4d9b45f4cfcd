"""How commands end: a sentence and an exit status, without a traceback."""

import contextlib
import os
import sys
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
