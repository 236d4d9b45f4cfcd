"""Semi-supervised adversarial autoencoder (Makhzani et al., 2015, https://arxiv.org/abs/1511.05644, section 4).

python -m recipes.latent.semi_supervised_aae                       digits, 100 labels
python -m recipes.latent.semi_supervised_aae --preset paper        MNIST, 100 labels, 1,500 epochs; not run here
python -m recipes.latent.semi_supervised_aae --preset two_cores    MNIST, 100 labels, the paper's networks, 30 epochs
python -m recipes.latent.semi_supervised_aae --preset two_cores --num-labels 1000 --labels-per-batch 75

The paper uses gradient descent with momentum and learning rates that fall after 50 and 1,000 epochs; here Adam's
learning rate is constant in the first half of the training.

Measured on two cores. Digits, 100 labels, one seed: test error 5.0 %. MNIST, 100 labels, `--preset two_cores`, 66
minutes alongside other work, one seed: test error 4.9 % (paper 1.90 %); 1,000 labels: not measured yet (paper 1.60 %).
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="mnist",
        hidden_units=(1000, 1000),
        discriminator_units=(1000, 1000),
        latent_size=10,
        batch_size=200,
        labels_per_batch=100,
        epochs=1500,
    ),
    two_cores=dict(batch_size=150, labels_per_batch=50, epochs=30),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits"),
    schedule: training.LinearSchedule = training.LinearSchedule(epochs=150, batch_size=150, learning_rate=0.001),
    game_learning_rate: float = 0.0005,
    num_labels: int = 100,
    labels_per_batch: int = 50,
    num_classes: int = 10,
    latent_size: int = 4,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    discriminator_units: tuple[int, ...] = (200, 200),
    input_noise: float = 0.3,
) -> dict:
    """Trains a semi-supervised adversarial autoencoder and evaluates the error of its classifier.

    Args:
        num_labels: number of training examples that keep their label, equally many of each class.
        labels_per_batch: how many of the `batch_size` examples in a training step are labelled; in the other places, an
            epoch goes through all training examples.
        num_classes: number of classes.
        latent_size: entries of the style z.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        discriminator_units: widths of the hidden layers of both discriminators.
        input_noise: standard deviation of the noise added to the encoder's input, whose levels are spread over [0, 1].
        game_learning_rate: learning rate of Adam for the discriminators, and for the encoder against them, at the
            start.
    """
    import keras

    from keras_gen import latent
    from keras_gen.data import few_labels

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    splits = few_labels(splits, num_labels, labels_per_batch)
    with run.scope():
        model = latent.SemiSupervisedAAE(
            splits.event_shape,
            num_classes,
            latent_size,
            splits.levels,
            hidden_units=hidden_units,
            filters=filters,
            discriminator_units=discriminator_units,
            input_noise=input_noise,
            seed=run.seed,
        )
        rate = schedule.rate(splits.steps_per_epoch)
        game_rate = schedule.rate(splits.steps_per_epoch, game_learning_rate)
        run.compile(
            model,
            keras.optimizers.Adam(rate),
            keras.optimizers.Adam(game_rate, beta_1=0.5),
            keras.optimizers.Adam(game_rate, beta_1=0.5),
            keras.optimizers.Adam(rate),
            xla=not filters,
        )
    model = run.fit(model, splits, epochs=schedule.epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Share of held-out examples that are not taken for their class, after training.",
    )


if __name__ == "__main__":
    main.cli()
