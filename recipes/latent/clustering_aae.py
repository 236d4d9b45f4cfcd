"""Clustering with an adversarial autoencoder (Makhzani et al., 2015, https://arxiv.org/abs/1511.05644, section 5).

python -m recipes.latent.clustering_aae            digits, 16 clusters
python -m recipes.latent.clustering_aae --paper    MNIST, 30 clusters
"""

from keras_gen import training


@training.recipe(
    dataset="mnist",
    filters=(16, 32),
    hidden_units=(256,),
    discriminator_units=(256,),
    epochs=100,
    latent_size=10,
    num_clusters=30,
)
def main(
    *,
    dataset: str = "digits",
    epochs: int = 200,
    batch_size: int = 100,
    seed: int = 0,
    folder: str | None = None,
    num_clusters: int = 16,
    latent_size: int = 4,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    discriminator_units: tuple[int, ...] = (200, 200),
    input_noise: float = 0.3,
    learning_rate: float = 0.001,
    game_learning_rate: float = 0.0005,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a clustering adversarial autoencoder and evaluates how well its clusters agree with the classes.

    Args:
        dataset: name or path of a data set with labels.
        epochs: passes over the training data; the learning rates fall to zero over them.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        num_clusters: number of clusters.
        latent_size: entries of the style z.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions in front of them.
        discriminator_units: widths of the hidden layers of both discriminators.
        input_noise: standard deviation of noise on what the encoder sees, where levels are spread over [0, 1].
        learning_rate: of Adam on the reconstruction, at the start.
        game_learning_rate: of Adam on the discriminators, and on the encoder against them, at the start.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras
    import numpy as np

    from keras_gen import data, evaluation, latent

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed)
    with run.scope():
        model = latent.ClusteringAAE(
            splits.event_shape,
            num_clusters,
            latent_size,
            splits.levels,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            input_noise=input_noise,
            seed=seed,
        )
        steps = epochs * splits.steps_per_epoch
        rate, game_rate = (
            keras.optimizers.schedules.CosineDecay(r, steps) for r in (learning_rate, game_learning_rate)
        )
        model.compile(
            run.averaged(keras.optimizers.Adam(rate)),
            keras.optimizers.Adam(game_rate, beta_1=0.5),
            keras.optimizers.Adam(game_rate, beta_1=0.5),
            jit_compile=run.jit_compile(faster=not filters),
        )
    model = run.fit(model, splits, epochs=epochs)

    # Labels are for evaluation alone.
    labelled = data.load(dataset, batch_size=1000, seed=seed, labels=True)
    found = {}
    for split in ("validation", "test"):
        batches = list(getattr(labelled, split))
        found[split] = [
            np.concatenate([model.classify(x) for x, _ in batches]),
            np.concatenate([y for _, y in batches]),
        ]
    metrics = {"test": model.evaluate(splits.test, verbose=0, return_dict=True)}
    metrics["test"].update(evaluation.cluster_error(*found["validation"], *found["test"]))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Each cluster has the class of the validation example that belongs to it most surely.",
    )


if __name__ == "__main__":
    main.cli()
