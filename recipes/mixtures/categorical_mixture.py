"""A mixture of categorical distributions by EM: latent classes (Lazarsfeld and Henry, 1968).

python -m recipes.mixtures.categorical_mixture    digits with their 17 levels

Measured on two cores beside other work, 22 s: exact test negative log-likelihood 97.45 ± 0.98 nats (independent pixels
106.91).
"""

from keras_gen import training


@training.recipe()
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits"),
    epochs: int = 100,
    patience: int = 5,
    batch_size: int = 20_000,
    num_components: int = 32,
    smoothing: float = 0.1,
    num_starts: int = 3,
) -> dict:
    """Fits a mixture by EM, and evaluates its exact likelihood.

    Args:
        epochs: iterations of EM, at most.
        patience: iterations without a better validation likelihood after which EM stops.
        batch_size: examples in a batch; a set of no more is one batch. Of a larger one, an iteration leaves out the
            last few, which do not fill one.
        num_components: components.
        smoothing: pseudo-count added to every count.
        num_starts: starts by k-means++ that are compared.
    """
    from keras_gen import evaluation, mixtures

    splits = data.load(batch_size=batch_size, seed=run.seed)
    with run.scope():
        model = mixtures.CategoricalMixture(
            splits.event_shape,
            num_components,
            splits.levels,
            smoothing=smoothing,
            num_starts=num_starts,
            seed=run.seed,
        )
        model.compile()
    model = run.fit(model, splits, epochs=epochs, monitor="val_loss", patience=patience)
    metrics = evaluation.likelihoods(model, splits)
    metrics["test"]["num_free_parameters"] = model.num_free_parameters
    return run.finish(model, splits, metrics, protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
