"""Runs whose training steps are taken operation by operation: so few take less time than tracing them does."""

import contextlib
from collections.abc import Iterator

import pytest

from keras_gen.training import Run


@contextlib.contextmanager
def eager_steps() -> Iterator[None]:
    """Trains and evaluates the models of runs without graphs; drawing and exporting have theirs."""
    compile_model = Run.compile

    def compile_without_graph(run, model, *optimizers, xla):
        model = compile_model(run, model, *optimizers, xla=xla)
        model.run_eagerly = True
        return model

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Run, "compile", compile_without_graph)
        yield
