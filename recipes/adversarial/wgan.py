"""WGAN (Arjovsky et al., 2017, https://arxiv.org/abs/1701.07875).

python -m recipes.adversarial.wgan                                               digits, dense networks
python -m recipes.adversarial.wgan --preset two_cores --network convolutional    MNIST, one budget for all papers

Measured on two cores. Digits: Parzen-window log-likelihood 15.1 ± 0.7. MNIST: see the table of all the losses in
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
    num_samples: int = 10_000,
) -> dict:
    """Trains WGAN and evaluates its samples by Parzen windows or, for Gaussians, by how many of them it finds.

    Args:
        num_samples: number of samples to evaluate.
    """
    import keras

    from keras_gen import adversarial

    splits = data.load(batch_size=players.batch_size(schedule), seed=run.seed)
    with run.scope():
        model = adversarial.WGAN(splits.event_shape, splits.levels, **players.arguments(run, batch_norm=True))
        # The paper found that a clipped critic does not settle with momentum.
        optimizers = players.optimizers(model, schedule, splits.steps_per_epoch, keras.optimizers.RMSprop)
        run.compile(model, *optimizers, xla=players.network == "dense")
    return training.fit_players(run, model, splits, schedule, num_samples=num_samples)


if __name__ == "__main__":
    main.cli()
