"""What recipes for flows over levels share: standardisation, training, and bounds of the likelihood."""

from collections.abc import Callable

from keras_gen import evaluation
from keras_gen.data import Splits
from keras_gen.flows.base import FlowModel
from keras_gen.training.run import Run


def fit_levels(
    run: Run,
    model: FlowModel,
    splits: Splits,
    *,
    epochs: int,
    num_samples: int,
    patience: int = 0,
    adapt: bool = True,
) -> dict:
    """Trains a flow on levels, evaluates two lower bounds of its likelihood, and writes the results.

    Args:
        run: the run.
        model: compiled flow over levels, built in the run's scope.
        splits: levels.
        epochs: passes over the training data, at most.
        num_samples: importance samples of each test example.
        patience: epochs without a better validation bound after which training stops; 0 never stops.
        adapt: whether the training data's standardisation is the flow's first step.

    Returns:
        What `metrics.json` holds.
    """
    if adapt:
        model.adapt(splits.array("train"))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)
    return run.finish(
        model,
        splits,
        evaluation.likelihood_bounds(model, splits, num_samples),
        protocol="Lower bounds, with one sample of the noise that is added to levels and with many; "
        "the epoch was chosen on validation data.",
    )


def fit_logits(run: Run, splits: Splits, build: Callable[[int], FlowModel], *, epochs: int, patience: int = 0) -> dict:
    """As `fit_levels`, with the evidence lower bound alone, and with the density of logits that papers report.

    Args:
        run: the run.
        splits: levels.
        build: function from a number of training rows to a new, compiled flow over levels with a `logit_margin`.
        epochs: passes over the training data, at most.
        patience: epochs without a better validation bound after which training stops; 0 never stops.

    Returns:
        What `metrics.json` holds.
    """
    with run.scope():
        model = build(splits.size("train"))
    model.adapt(splits.array("train"))
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)
    metrics = evaluation.likelihood_bounds(model, splits, num_samples=1)
    metrics["test"].update(evaluation.logit_likelihood(model, splits.test))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Bound with uniform noise, and the density of logits; the epoch was chosen on validation data.",
    )
