"""Sylvester flows (van den Berg et al., 2018, https://arxiv.org/abs/1803.05649).

python -m recipes.flows.sylvester                       two_moons
python -m recipes.flows.sylvester --preset two_cores    red wine, ten folds

Measured on two cores, two moons: 0.030 nats from the true log-density.

The paper uses Sylvester flows as posteriors of VAEs: `python -m recipes.latent.vae --posterior sylvester_flow`. It
gives no figures for them as densities of data.
"""

from keras_gen import training


@training.recipe(
    two_cores=dict(
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
)
def main(
    run: "training.Run",
    *,
    data: training.Vectors = training.Vectors("two_moons"),
    schedule: training.VectorSchedule = training.VectorSchedule(
        epochs=30, batch_size=200, learning_rate=0.01, patience=10
    ),
    num_layers: int = 16,
    num_reflections: int | None = None,
) -> dict:
    """Trains a Sylvester flow on real vectors and evaluates its exact likelihood.

    Args:
        num_layers: number of functions from noise to data.
        num_reflections: number of reflections that make up each rotation; by default as many as there are columns.
    """
    from keras_gen import flows

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)

    def build(steps_per_epoch: int) -> flows.SylvesterFlow:
        model = flows.SylvesterFlow(splits.event_shape, num_layers, num_reflections=num_reflections, seed=run.seed)
        return run.compile(model, schedule.adamw(steps_per_epoch), xla=True)

    model, metrics = training.fit_vectors(run, splits, build, schedule)
    return run.finish(model, splits, metrics, protocol=training.VECTORS)


if __name__ == "__main__":
    main.cli()
