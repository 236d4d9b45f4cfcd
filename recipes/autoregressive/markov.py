"""Markov chains, fitted by counting (a textbook density: Murphy, 2012, section 17.2).

python -m recipes.autoregressive.markov            digits
python -m recipes.autoregressive.markov --paper    binarized MNIST

Exact test negative log-likelihoods in nats. Digits, order 2, 12 s: 23.38 ± 0.28 (independent pixels 25.18). Binarized
MNIST, order 9: 138.28 ± 0.27 (independent pixels 205.79, a mixture of Bernoullis 149.63).
"""

from keras_gen import training


@training.recipe(dataset="binarized_mnist", order=9)
def main(
    *,
    dataset: str = "digits",
    binarization: str = "threshold",
    order: int = 2,
    smoothing: float = 0.5,
    seed: int = 0,
    folder: str | None = None,
    options: training.Options = training.Options(),
) -> dict:
    """Counts, and evaluates the exact likelihood beside two baselines.

    Args:
        dataset: name or path of a data set.
        binarization: how grey levels become bits: threshold, static, dynamic, or none to model the levels.
        order: entries that each entry depends on; 0 makes them independent.
        smoothing: pseudo-count added to every count.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    from keras_gen import autoregressive, data, evaluation

    run = training.Run(main.name, folder, config, options)
    # One batch of everything: an epoch of several leaves out an incomplete last one.
    splits = data.load(dataset, batch_size=1_000_000, seed=seed, binarization=binarization)
    with run.scope():
        model = autoregressive.MarkovChain(splits.event_shape, order, splits.levels, smoothing=smoothing, seed=seed)
        model.compile()
    model = run.fit(model, splits, epochs=1)

    metrics = evaluation.likelihoods(model, splits)
    metrics["test"]["num_free_parameters"] = model.num_free_parameters
    return run.finish(model, splits, metrics, protocol="Exact likelihood; counts of the training data.")


if __name__ == "__main__":
    main.cli()
