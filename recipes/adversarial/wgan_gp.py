"""WGAN-GP (Gulrajani et al., 2017, https://arxiv.org/abs/1704.00028).

python -m recipes.adversarial.wgan_gp                                               digits, dense networks
python -m recipes.adversarial.wgan_gp --preset two_cores --network convolutional    MNIST, one budget for all papers

Measured on two cores. Digits: Parzen-window log-likelihood 18.9 ± 0.8. MNIST: see the table of all the losses in
docs/adversarial_networks.md.
"""

from keras_gen import training


@training.recipe(
    two_cores=dict(
        dataset="mnist", hidden_units=(1200, 1200), filters=(32, 64, 128), latent_size=100, epochs=100, batch_size=100
    )
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=450, batch_size=50, learning_rate=0.0005),
    players: training.Players = training.Players(discriminator_steps=5),
    beta_1: float = 0.5,
    num_samples: int = 10_000,
) -> dict:
    """Trains WGAN-GP and evaluates its samples by Parzen windows or, for Gaussians, by how many of them it finds.

    Args:
        beta_1: momentum of Adam.
        num_samples: number of samples to evaluate.
    """
    import keras

    from keras_gen import adversarial

    splits = data.load(batch_size=players.batch_size(schedule), seed=run.seed)
    with run.scope():
        model = adversarial.WGANGP(splits.event_shape, splits.levels, **players.arguments(run))
        optimizers = players.optimizers(
            model, schedule, splits.steps_per_epoch, lambda rate: keras.optimizers.Adam(rate, beta_1, 0.9)
        )
        run.compile(model, *optimizers, xla=players.network == "dense")
    return training.fit_players(run, model, splits, schedule, num_samples=num_samples)


if __name__ == "__main__":
    main.cli()
