"""The table of a full joint distribution (a textbook density: Murphy, 2012, section 2.2).

python -m recipes.autoregressive.tabular                       the central 4×4 bits of digits
python -m recipes.autoregressive.tabular --preset two_cores    the central 4×4 bits of binarized MNIST

Exact test negative log-likelihoods in nats of these 16 bits; the table has 65,535 free parameters. Digits, 27 s:
8.50 ± 0.20 (independent pixels 10.91; a mixture of Bernoullis, with fewer parameters, 8.27). Binarized MNIST:
6.65 ± 0.03 (independent pixels 10.71, a mixture of Bernoullis 6.70).
"""

from keras_gen import training


@training.recipe(two_cores=dict(dataset="binarized_mnist", size=4))
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    size: int = 4,
    smoothing: float = 0.5,
) -> dict:
    """Fits the table by counting and evaluates the exact likelihood beside two baselines.

    Args:
        size: height and width of the patch at the centre of an image; 0 for whole examples.
        smoothing: pseudo-count added to every count.
    """
    from keras_gen import autoregressive, evaluation

    # One batch of everything: an epoch of several batches leaves out an incomplete last one.
    splits = data.load(batch_size=1_000_000, seed=run.seed)
    if size:
        splits = splits.cropped(size, size)
    with run.scope():
        model = autoregressive.Tabular(splits.event_shape, splits.levels, smoothing=smoothing, seed=run.seed)
        model.compile()
    model = run.fit(model, splits, epochs=1)

    metrics = evaluation.likelihoods(model, splits)
    metrics["test"]["num_free_parameters"] = model.num_free_parameters
    return run.finish(model, splits, metrics, protocol="Exact likelihood; counts of the training data.")


if __name__ == "__main__":
    main.cli()
