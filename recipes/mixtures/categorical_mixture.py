"""A mixture of categorical distributions by EM: latent classes (Lazarsfeld and Henry, 1968).

python -m recipes.mixtures.categorical_mixture    digits with their 17 levels

Measured on two cores alongside other work, 22 s: exact test negative log-likelihood 97.45 ± 0.98 nats (independent
pixels 106.91).
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
    """Fits a mixture by EM and evaluates its exact likelihood.

    Args:
        epochs: largest number of iterations of EM.
        patience: number of iterations without a better validation likelihood after which EM stops.
        batch_size: examples in a batch; a set that is no larger is one batch. In a larger set, an iteration leaves out
            the last examples, which do not fill a batch.
        num_components: number of components.
        smoothing: pseudo-count added to every count.
        num_starts: number of k-means++ starts to compare.
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
