"""GAN (Goodfellow et al., 2014, https://arxiv.org/abs/1406.2661) and what followed it: LSGAN, WGAN, WGAN-GP, SNGAN.

python -m recipes.adversarial.gan                       digits, dense networks
python -m recipes.adversarial.gan --model lsgan         or wgan, wgan_gp, sngan
python -m recipes.adversarial.gan --paper               MNIST, dense networks as wide as the paper's generator
python -m recipes.adversarial.gan --paper --maxout-units 240 240 --dropout 0.5 --batch-norm --learning-rate 0.0002
                                                        MNIST, with the paper's networks, the generator's normalized
python -m recipes.adversarial.gan --paper --model sngan --network convolutional
                                                        MNIST; likewise for the others: one budget for all

python -m recipes.adversarial.gan --dataset twenty_five_gaussians --standardize --hidden-units 256 256 256 \\
    --latent-size 2 --beta-1 0 --regularizers '{"name": "r1", "weight": 0.1}' --batch-size 500 --epochs 100 \\
    --learning-rate 0.002 --generator-average 0.99      how many of 25 Gaussians are found

Measured on two cores. 25 Gaussians, 2.5 minutes beside other trainings: all 25 are found, 92.8 % of the samples within
three standard deviations of one. MNIST: docs/adversarial_networks.md has a table of all losses. With the paper's
networks as above and `--epochs 12`, 9 minutes of training beside others: Parzen-window log-likelihood 99.3 ± 1.3
(paper 225); samples read as digits under grain. Without `--batch-norm`, at the recipe's learning rate and 6 epochs, it
was 57.7.
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    dataset="mnist", hidden_units=(1200, 1200), filters=(32, 64, 128), latent_size=100, epochs=20, batch_size=100
)
def main(
    *,
    model: Literal["gan", "lsgan", "wgan", "wgan_gp", "sngan"] = "gan",
    network: Literal["dense", "convolutional", "residual"] = "dense",
    dataset: str = "digits",
    standardize: bool = False,
    epochs: int = 150,
    batch_size: int = 100,
    seed: int = 0,
    folder: str | None = None,
    hidden_units: tuple[int, ...] = (200, 200),
    maxout_units: tuple[int, ...] = (),
    dropout: float = 0.0,
    batch_norm: bool = False,
    filters: tuple[int, ...] = (16, 32),
    latent_size: int = 32,
    objective: str | None = None,
    regularizers: tuple[str, ...] | None = None,
    discriminator_steps: int | None = None,
    generator_average: float = 0.999,
    learning_rate: float = 0.0005,
    beta_1: float | None = None,
    num_samples: int = 10_000,
    options: training.Options = training.Options(),
) -> dict:
    """Trains an adversarial network, and judges its samples by Parzen windows or, of Gaussians, by those it finds.

    Args:
        model: the paper whose losses and regularizers are taken: gan, lsgan, wgan, wgan_gp or sngan.
        network: what both players are made of.
        dataset: name or path of a data set.
        standardize: whether real vectors are standardised.
        epochs: passes over the training data; the learning rates fall to zero over them.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<recipe>/<model>/<data set>.
        hidden_units: widths of the hidden layers of dense networks.
        maxout_units: units of the maxout layers, of five pieces, of the discriminator, in place of dense ones.
        dropout: share of its hidden units that the dense or maxout discriminator leaves out.
        batch_norm: whether the dense generator has batch normalization.
        filters: channels of the layers, or blocks, that halve an image, from the image inwards.
        latent_size: length of the noise.
        objective: losses, by default the paper's; JSON such as {"name": "least_squares", "fake": 0.0} names
            arguments, too.
        regularizers: what the discriminator is regularized by, likewise.
        discriminator_steps: steps of the discriminator for each step of the generator; by default the paper's.
        generator_average: momentum of the moving average of the generator's weights; 0 for none.
        learning_rate: of both players' optimizer, at the start.
        beta_1: momentum of Adam, by default that of the paper; WGAN has RMSprop.
        num_samples: samples that are judged.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import pathlib

    import keras

    from keras_gen import adversarial, data

    folder = folder or str(pathlib.Path("runs", *main.name.split("."), model, pathlib.PurePath(dataset).stem))
    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, standardize=standardize)
    sizes = {"hidden_units": hidden_units} if network == "dense" else {"filters": filters}
    generator, discriminator = {"name": network, **sizes}, {"name": network, **sizes}
    if network == "dense":
        generator["batch_norm"] = batch_norm
        discriminator["dropout"] = dropout
        if maxout_units:
            pieces = (5,) * len(maxout_units)
            discriminator = {"name": "maxout", "units": maxout_units, "pieces": pieces, "dropout": dropout}
    elif network == "convolutional":
        discriminator["batch_norm"] = model in ("gan", "lsgan", "wgan")
    chosen = {"objective": objective and training.part(objective), "discriminator_steps": discriminator_steps}
    if regularizers is not None:
        chosen["regularizers"] = tuple(map(training.part, regularizers))
    make = {
        "gan": adversarial.GAN,
        "lsgan": adversarial.LSGAN,
        "wgan": adversarial.WGAN,
        "wgan_gp": adversarial.WGANGP,
        # SNGAN is for images; these are its losses and layers for any examples.
        "sngan": adversarial.GAN,
    }[model]
    if model == "sngan":
        discriminator["spectral_norm"] = True
        chosen["objective"] = chosen["objective"] or "hinge"
        chosen["discriminator_steps"] = discriminator_steps or 5
    with run.scope():
        players = make(
            splits.event_shape,
            splits.levels,
            latent_size=latent_size,
            latent_distribution="normal",
            generator_network=generator,
            discriminator_network=discriminator,
            generator_average=generator_average,
            seed=seed,
            **{name: value for name, value in chosen.items() if value is not None},
        )
        # One for each player: of the discriminator's steps there may be several for each of the generator's.
        rates = [
            keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch * steps)
            for steps in (1, players.discriminator_steps)
        ]
        betas = {"wgan_gp": (0.5, 0.9), "sngan": (0.0, 0.9)}.get(model, (0.5, 0.999))
        momentum = betas[0] if beta_1 is None else beta_1
        # With momentum, the paper of WGAN found, a clipped critic does not settle.
        optimizers = [
            keras.optimizers.RMSprop(rate) if model == "wgan" else keras.optimizers.Adam(rate, momentum, betas[1])
            for rate in rates
        ]
        players.compile(
            run.averaged(optimizers[0]), optimizers[1], jit_compile=run.jit_compile(faster=network == "dense")
        )
    players = run.fit(players, splits, epochs=epochs)

    metrics = {"test": players.evaluate(splits.test, verbose=0, return_dict=True)}
    metrics["test"].update(training.judged_samples(players, splits, num_samples=num_samples, seed=seed))
    return run.finish(players, splits, metrics, protocol=training.JUDGED)


if __name__ == "__main__":
    main.cli()
