"""Markov chains, fitted by counting (a textbook density: Murphy, 2012, section 17.2).

python -m recipes.autoregressive.markov                       digits
python -m recipes.autoregressive.markov --preset two_cores    binarized MNIST

Exact test negative log-likelihoods in nats. Digits, order 2, 12 s: 23.38 ± 0.28 (independent pixels 25.18). Binarized
MNIST, order 9: 138.28 ± 0.27 (independent pixels 205.79, a mixture of Bernoullis 149.63).
"""

from keras_gen import training


@training.recipe(two_cores=dict(dataset="binarized_mnist", order=9))
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    order: int = 2,
    smoothing: float = 0.5,
) -> dict:
    """Fits the chain by counting and evaluates the exact likelihood beside two baselines.

    Args:
        order: entries that each entry depends on; 0 makes them independent.
        smoothing: pseudo-count added to every count.
    """
    from keras_gen import autoregressive, evaluation

    # One batch of everything: an epoch of several batches leaves out an incomplete last one.
    splits = data.load(batch_size=1_000_000, seed=run.seed)
    with run.scope():
        model = autoregressive.MarkovChain(splits.event_shape, order, splits.levels, smoothing=smoothing, seed=run.seed)
        model.compile()
    model = run.fit(model, splits, epochs=1)

    metrics = evaluation.likelihoods(model, splits)
    metrics["test"]["num_free_parameters"] = model.num_free_parameters
    return run.finish(model, splits, metrics, protocol="Exact likelihood; counts of the training data.")


if __name__ == "__main__":
    main.cli()
