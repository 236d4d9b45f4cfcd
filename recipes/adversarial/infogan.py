"""InfoGAN (Chen et al., 2016, https://arxiv.org/abs/1606.03657).

python -m recipes.adversarial.infogan                       digits
python -m recipes.adversarial.infogan --preset two_cores    MNIST, the paper's code and optimizers, half of its filters

Measured on two cores. MNIST with `--epochs 4`, 7 minutes beside another training: bound of the category's information
2.297 nats (at most log 10 = 2.303), but the categories are not the classes, their error is 67 % (paper 5 %); samples
read as digits.
"""

from keras_gen import training


@training.recipe(
    two_cores=dict(
        dataset="mnist",
        filters=(32, 64),
        latent_size=62,
        code_units=128,
        epochs=15,
        batch_size=128,
        learning_rate=1e-3,
        discriminator_learning_rate=2e-4,
    )
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    epochs: int = 60,
    batch_size: int = 64,
    learning_rate: float = 2e-3,
    discriminator_learning_rate: float = 5e-4,
    num_categories: int = 10,
    num_continuous: int = 2,
    information_weight: float = 1.0,
    latent_size: int = 16,
    code_units: int = 64,
    filters: tuple[int, ...] = (16, 32),
    generator_average: float = 0.0,
) -> dict:
    """Trains InfoGAN; reports the bound of the information, and how well its categories are the classes of the data.

    The labels of the data are for the report alone.

    Args:
        epochs: passes over the training data.
        batch_size: examples in a training step.
        learning_rate: of the generator's Adam; it stays as it is.
        discriminator_learning_rate: of the discriminator's Adam.
        num_categories: categories of the code.
        num_continuous: numbers of the code.
        information_weight: weight of the bound in both players' losses.
        latent_size: length of the further noise.
        code_units: width of the hidden layer that reads the code off an image.
        filters: channels of the discriminator's strided layers, from the image inwards; the generator's in reverse.
        generator_average: momentum of the moving average of the generator's weights, unless ema names one; 0 for none.
    """
    import keras
    import numpy as np

    from keras_gen import adversarial, evaluation, pictures

    labelled = data.load(batch_size=batch_size, seed=run.seed, labels=True)
    splits = labelled.unlabelled()
    network = {"name": "convolutional", "filters": filters}
    with run.scope():
        model = adversarial.InfoGAN(
            splits.event_shape,
            splits.levels,
            latent_size=latent_size,
            num_categories=num_categories,
            num_continuous=num_continuous,
            information_weight=information_weight,
            code_units=code_units,
            generator_network=network,
            discriminator_network=network,
            generator_average=run.options.ema or generator_average,
            seed=run.seed,
        )
        rates = (learning_rate, discriminator_learning_rate)
        run.compile(model, *(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates), xla=False)
    model = run.fit(model, splits, epochs=epochs)

    metrics = {"test": model.evaluate(splits.test, verbose=0, return_dict=True)}
    found = {
        split: np.concatenate([model.infer(x)["category"] for x in getattr(splits, split)])
        for split in ("validation", "test")
    }
    classes = {split: labelled.labels(split) for split in found}
    metrics["test"].update(
        evaluation.cluster_error(found["validation"], classes["validation"], found["test"], classes["test"])
    )
    if run.is_chief:
        # A row for each category, with the same further noise in each column.
        noise = {
            name: np.tile(values, (num_categories, *(1,) * (len(values.shape) - 1)))
            for name, values in model.noise(10, run.seed).items()
        }
        noise["category"] = np.repeat(np.arange(num_categories, dtype=np.int32), 10)
        rows = model.generate({name: keras.ops.convert_to_tensor(values) for name, values in noise.items()})
        pictures.picture(model.event_space, rows.numpy()).save(run.folder / "categories.png")
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Losses and the bound of the information, in nats, on held-out noise; a category stands for the class "
        "of the validation example that belongs to it most surely.",
    )


if __name__ == "__main__":
    main.cli()
