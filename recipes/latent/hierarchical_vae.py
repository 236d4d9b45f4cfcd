"""HierarchicalVAE (Sønderby et al., 2016, https://arxiv.org/abs/1602.02282).

python -m recipes.latent.hierarchical_vae                       digits
python -m recipes.latent.hierarchical_vae --preset two_cores    binarized MNIST, two layers of codes on convolutions
python -m recipes.latent.hierarchical_vae --preset paper        MNIST, bits drawn anew, five dense layers; not run here

The paper's batch normalization and its stepwise learning rate are not arguments.

Measured on two cores. Digits, three seeds: test ELBO -17.88 ± 0.11 nats, negative log-likelihood at most 17.15 ± 0.11
(1,000 importance samples). `--preset two_cores --epochs 12 --num-samples 200`, 7 minutes alongside other trainings:
test ELBO -91.50 ± 0.23 nats, negative log-likelihood at most 87.49 ± 0.22; a VAE with one layer of codes, with the same
convolutions and trained for as long, 89.19 ± 0.23.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="mnist",
        binarization="dynamic",
        latent_sizes=(64, 32, 16, 8, 4),
        units=(512, 256, 128, 64, 32),
        hidden_units=(512,),
        activation="leaky_relu",
        warm_up_epochs=200,
        epochs=2000,
        batch_size=256,
        num_samples=5000,
    ),
    two_cores=dict(
        dataset="binarized_mnist",
        binarization="by_set",
        latent_sizes=(40, 20),
        units=(300, 150),
        hidden_units=(),
        activation="silu",
        warm_up_epochs=10,
        epochs=30,
        batch_size=100,
        filters=(16, 32),
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=100, batch_size=100, learning_rate=0.002),
    latent_sizes: tuple[int, ...] = (8, 4),
    units: tuple[int, ...] = (150, 100),
    hidden_units: tuple[int, ...] = (150,),
    filters: tuple[int, ...] = (),
    warm_up_epochs: int = 10,
    free_nats: float = 0.0,
    activation: str = "silu",
    num_samples: int = 1000,
) -> dict:
    """Trains a hierarchical VAE and evaluates two lower bounds on its likelihood: ELBO, and by importance sampling.

    Args:
        latent_sizes: entries of each layer's code, from the lowest layer to the top.
        units: features of each layer.
        hidden_units: widths of the dense layers between the data and the lowest layer.
        filters: channels of the convolutions before them.
        warm_up_epochs: epochs over which the weight of the divergence grows from 0.
        free_nats: amount of divergence of each layer that costs nothing.
        activation: activation of the hidden layers.
        num_samples: importance samples of each test example.
    """
    import keras

    from keras_gen import evaluation, latent

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = latent.HierarchicalVAE(
            splits.event_shape,
            latent_sizes,
            splits.levels,
            units=units,
            hidden_units=hidden_units,
            filters=filters,
            warm_up_steps=warm_up_epochs * splits.steps_per_epoch,
            free_nats=free_nats,
            activation=activation,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = evaluation.likelihoods(model, splits, num_samples)
    return run.finish(model, splits, metrics, protocol=training.BOUNDS)


if __name__ == "__main__":
    main.cli()
