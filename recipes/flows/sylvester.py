"""Sylvester flows (van den Berg et al., 2018, https://arxiv.org/abs/1803.05649).

python -m recipes.flows.sylvester                                          two_moons
python -m recipes.flows.sylvester --paper --dataset winequality-red.csv    red wine, ten folds

Measured on two cores, two moons: 0.030 nats from the true log-density.

The paper has Sylvester flows as posteriors of VAEs: python -m recipes.latent.vae --posterior sylvester_flow. As
densities of data they have no figures in it.
"""

from keras_gen import training


@training.recipe(
    dataset="winequality-red.csv",
    columns="0:11",
    folds=10,
    epochs=150,
    batch_size=100,
    patience=30,
    num_layers=4,
    weight_decay=0.3,
    learning_rate=0.003,
)
def main(
    *,
    dataset: str = "two_moons",
    columns: str | None = None,
    folds: int = 0,
    epochs: int = 30,
    batch_size: int = 200,
    seed: int = 0,
    folder: str | None = None,
    num_layers: int = 16,
    num_reflections: int | None = None,
    learning_rate: float = 0.01,
    weight_decay: float = 0.0,
    patience: int = 10,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a Sylvester flow on real vectors and evaluates its exact likelihood.

    Args:
        dataset: name or path of a set of real vectors; of a toy density, the gap to the truth is reported, too.
        columns: columns of a table to keep, such as 0:11.
        folds: folds of a cross-validation before the training; 0 for none.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        num_layers: functions from noise to data.
        num_reflections: reflections that each rotation is made of; by default as many as there are columns.
        learning_rate: learning rate of AdamW at the start; it falls to 0 along a cosine.
        weight_decay: its weight decay.
        patience: epochs without a better validation likelihood after which training stops.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    from keras_gen import data, flows

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, columns=columns)

    def build(rows: int) -> flows.SylvesterFlow:
        model = flows.SylvesterFlow(splits.event_shape, num_layers, num_reflections=num_reflections, seed=seed)
        steps = epochs * max(1, rows // batch_size)
        return training.compiled(run, model, steps=steps, learning_rate=learning_rate, weight_decay=weight_decay)

    model, metrics = training.fit_vectors(
        run, splits, build, epochs=epochs, batch_size=batch_size, folds=folds, patience=patience, seed=seed
    )
    return run.finish(model, splits, metrics, protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
