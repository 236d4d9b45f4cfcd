"""Classifier of images whose features judge samples (LeCun et al., 1998, Gradient-based learning).

python -m recipes.tasks.classifier            digits
python -m recipes.tasks.classifier --paper    MNIST: the classifier that comes with the package

Measured on two cores, test accuracy. Digits, 20 s of processor time: 0.994 ± 0.006. MNIST, 44 s: 0.9891 ± 0.0010.
"""

from keras_gen import training


@training.recipe(dataset="mnist", filters=(16, 32), num_features=64, epochs=5)
def main(
    *,
    dataset: str = "digits",
    epochs: int = 60,
    batch_size: int = 100,
    seed: int = 0,
    folder: str | None = None,
    filters: tuple[int, ...] = (16, 32),
    num_features: int = 32,
    learning_rate: float = 0.003,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a classifier and evaluates its accuracy.

    Args:
        dataset: name or path of a set of images with labels.
        epochs: passes over the training data; the learning rate falls to zero over them.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        filters: channels of each convolution.
        num_features: width of the hidden layer, which holds the features.
        learning_rate: of Adam, at the start.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras
    import numpy as np

    from keras_gen import data, evaluation
    from keras_gen.core import saving

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, labels=True)
    with run.scope():
        model = evaluation.Classifier(
            splits.event_shape,
            len(np.unique(splits.labels("train"))),
            splits.levels,
            filters=filters,
            num_features=num_features,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        model.compile(run.averaged(keras.optimizers.Adam(rate)), jit_compile=run.jit_compile(faster=False))
    model = run.fit(model, splits, epochs=epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    accuracy = metrics["test"]["accuracy"]
    metrics["test"]["accuracy_standard_error"] = (accuracy * (1.0 - accuracy) / splits.size("test")) ** 0.5
    if run.is_chief:
        # Without the state of the optimizer, which only further training needs.
        judge = type(model).from_config(model.get_config())
        judge.set_weights(model.get_weights())
        saving.save_model(judge, run.folder / "judge.keras")
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Negative log-likelihood of the label in nats, and share of labels that are the most probable class.",
    )


if __name__ == "__main__":
    main.cli()
