"""Adversarial autoencoder (Makhzani et al., 2015, https://arxiv.org/abs/1511.05644).

python -m recipes.latent.adversarial_autoencoder                       digits
python -m recipes.latent.adversarial_autoencoder --preset two_cores    MNIST, eight normal codes of scale 5
python -m recipes.latent.adversarial_autoencoder --preset paper        the same, by gradient descent; not run here

python -m recipes.latent.adversarial_autoencoder --prior ring --num-classes 10 --learning-rate 3e-4 \\
    --game-learning-rate 1e-3                                          digits, a mode of the prior for each class

The paper's initial weights of scale 0.01 and its stepwise learning rates are not arguments.

Measured on two cores. Digits, two codes, 84 s, three seeds: Parzen-window log-likelihood 11.1 ± 1.1 nats (10,000
samples; not a likelihood of the model). `--preset two_cores --epochs 12`, 12 minutes alongside another training:
211.9 ± 2.0 (10,000 samples; paper 340).
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="mnist",
        latent_size=8,
        prior='{"name": "normal", "scale": 5.0}',
        hidden_units=(1000, 1000),
        discriminator_units=(1000, 1000),
        optimizer="sgd",
        epochs=1000,
        learning_rate=0.01,
        game_learning_rate=0.1,
    ),
    two_cores=dict(optimizer="adam", epochs=60, learning_rate=2e-4, game_learning_rate=5e-4),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=150, batch_size=100, learning_rate=0.001),
    game_learning_rate: float = 0.0005,
    optimizer: Literal["adam", "sgd"] = "adam",
    latent_size: int = 2,
    prior: str = "normal",
    num_classes: int | None = None,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    discriminator_units: tuple[int, ...] = (200, 200),
    input_noise: float = 0.0,
    num_samples: int = 10_000,
) -> dict:
    """Trains an adversarial autoencoder and evaluates the Parzen-window log-likelihood of its samples.

    Args:
        latent_size: entries of the code.
        prior: name of the distribution of the code: normal, uniform, or for two entries ring or swiss_roll; or JSON
            such as {"name": "normal", "scale": 5.0}.
        num_classes: number of classes, each of which takes one mode of a ring or a Swiss roll; none by default.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        discriminator_units: widths of the hidden layers of the discriminator.
        input_noise: standard deviation of the noise added to the encoder's input, whose levels are spread over [0, 1].
        game_learning_rate: learning rate of the discriminator, and of the encoder against it, at the start.
        optimizer: adam; or sgd as in the paper, with momentum 0.9, and momentum 0.1 for the discriminator and against
            it.
        num_samples: number of samples that get a Parzen window.
    """
    import keras
    import numpy as np

    from keras_gen import evaluation, latent

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=num_classes is not None)
    with run.scope():
        model = latent.AdversarialAutoencoder(
            splits.event_shape,
            latent_size,
            splits.levels,
            prior=training.component(prior),
            num_classes=num_classes,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            input_noise=input_noise,
            seed=run.seed,
        )
        rate = schedule.rate(splits.steps_per_epoch)
        game_rate = schedule.rate(splits.steps_per_epoch, game_learning_rate)
        if optimizer == "sgd":
            optimizers = [keras.optimizers.SGD(rate, 0.9), *(keras.optimizers.SGD(game_rate, 0.1) for _ in range(2))]
        else:
            optimizers = [keras.optimizers.Adam(rate), *(keras.optimizers.Adam(game_rate, 0.5) for _ in range(2))]
        run.compile(model, *optimizers, xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    # Windows are placed around the decoder's output.
    codes = np.array_split(model.prior_codes(model.noise(num_samples, run.seed), None), max(1, num_samples // 1000))
    samples = np.concatenate([model.decode(batch) for batch in codes])
    for split, figures in training.parzen_figures(samples, splits).items():
        metrics[split].update(figures)
    if run.is_chief and num_classes is not None and latent_size > 1:
        batches = list(splits.test)
        codes = np.concatenate([model.encode(x) for x, _ in batches])
        run.save_picture("codes.png", evaluation.latent_map(codes, np.concatenate([y for _, y in batches])))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Losses on held-out data; Parzen windows whose width was chosen on validation data, levels in [0, 1].",
    )


if __name__ == "__main__":
    main.cli()
