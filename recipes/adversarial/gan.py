"""GAN (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661).

python -m recipes.adversarial.gan                       digits, dense networks
python -m recipes.adversarial.gan --preset paper        MNIST, networks, losses and optimizers of the authors' code
python -m recipes.adversarial.gan --preset two_cores    the same for 50 epochs
python -m recipes.adversarial.gan --dataset mnist --network convolutional --filters 32 64 128 --latent-size 100 \\
    --epochs 20                                         MNIST; likewise for the other papers: one budget for all

python -m recipes.adversarial.gan --dataset twenty_five_gaussians --standardize --hidden-units 256 256 256 \\
    --latent-size 2 --beta-1 0 --regularizers '{"name": "r1", "weight": 0.1}' --batch-size 500 --epochs 100 \\
    --learning-rate 0.002 --generator-average 0.99      how many of 25 Gaussians are found

In the paper's preset, the epoch with the best Parzen windows of validation data is kept.

Measured on two cores. Digits: Parzen-window log-likelihood 9.3 ± 0.8 (two seeds). 25 Gaussians, 2.5 minutes alongside
other trainings: all 25 are found, and 92.8 % of the samples are within three standard deviations of one. MNIST:
`--preset two_cores`, 37 minutes alongside other trainings: 143.3 ± 1.5 (paper 225 ± 2), and still rising;
docs/adversarial_networks.md has a table of all the losses.
"""

from keras_gen import training


@training.recipe(
    paper=dict(dataset="mnist", network="own", generator_average=0.0, epochs=250, batch_size=100, parzen_every=5),
    two_cores=dict(epochs=50),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=150, batch_size=100, learning_rate=0.0005),
    players: training.Players = training.Players(objective="non_saturating"),
    beta_1: float = 0.5,
    num_samples: int = 10_000,
    parzen_every: int = 0,
) -> dict:
    """Trains a GAN and evaluates its samples by Parzen windows or, for Gaussians, by how many of them it finds.

    Args:
        beta_1: momentum of Adam.
        num_samples: number of samples to evaluate.
        parzen_every: epochs between Parzen-window evaluations on validation data; the best epoch is kept. 0 keeps the
            last epoch.
    """
    import keras

    from keras_gen import adversarial

    splits = data.load(batch_size=players.batch_size(schedule), seed=run.seed)
    with run.scope():
        model = adversarial.GAN(splits.event_shape, splits.levels, **players.arguments(run, batch_norm=True))
        optimizers = players.optimizers(
            model, schedule, splits.steps_per_epoch, lambda rate: keras.optimizers.Adam(rate, beta_1)
        )
        run.compile(model, *optimizers, xla=players.network in ("dense", "own"))
    if players.network == "own":
        model.adapt(splits.array("train"))
    return training.fit_players(run, model, splits, schedule, num_samples=num_samples, parzen_every=parzen_every)


if __name__ == "__main__":
    main.cli()
