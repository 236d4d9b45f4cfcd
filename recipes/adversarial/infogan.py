"""InfoGAN (Chen et al., 2016, https://arxiv.org/abs/1606.03657).

python -m recipes.adversarial.infogan                   digits
python -m recipes.adversarial.infogan --preset paper    MNIST, 5,070 steps with the authors' networks and optimizers

The Hungarian algorithm assigns a different class to each category, so that as many validation examples as possible get
their own; the classes of each category's test examples are counted and printed.

Measured on two cores. Digits, three seeds of 48 s: bound on the information of the category 2.271 ± 0.035 nats (at most
log 10 = 2.303), error of the categories 26.5 ± 1.8 %. MNIST: not measured yet (paper 5 %).
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="mnist",
        latent_size=62,
        code_units=128,
        filters=(64, 128),
        dense_units=(1024,),
        epochs=13,
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
    dense_units: tuple[int, ...] = (128,),
    generator_average: float = 0.0,
) -> dict:
    """Trains InfoGAN; reports the bound on the information, and how well its categories match the classes of the data.

    The labels of the data are used only for the report.

    Args:
        epochs: passes over the training data.
        batch_size: examples in a training step.
        learning_rate: learning rate of the generator's Adam; it stays constant.
        discriminator_learning_rate: learning rate of the discriminator's Adam.
        num_categories: number of categories of the code.
        num_continuous: number of continuous entries of the code.
        information_weight: weight of the bound in both players' losses.
        latent_size: length of the remaining noise.
        code_units: width of the hidden layer that reads the code off an image.
        filters: channels of the discriminator's strided layers, from the image inwards; the generator has them in
            reverse.
        dense_units: widths of the discriminator's dense layers after those; the generator has them before.
        generator_average: momentum of the moving average of the generator's weights, unless ema names one; 0 for none.
    """
    import keras
    import numpy as np

    from keras_gen import adversarial, evaluation, pictures
    from keras_gen.console import markdown_table

    labelled = data.load(batch_size=batch_size, seed=run.seed, labels=True)
    splits = labelled.unlabelled()
    network = {"name": "convolutional", "filters": filters, "kernel_size": 4, "dense_units": dense_units}
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
            discriminator_network={**network, "slope": 0.1},
            generator_average=run.options.ema or generator_average,
            seed=run.seed,
        )
        rates = (learning_rate, discriminator_learning_rate)
        run.compile(model, *(keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates), xla=False)
    model = run.fit(model, splits, epochs=epochs)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    classes = {split: labelled.labels(split).astype(int) for split in metrics}
    found = {split: np.concatenate([model.infer(x)["category"] for x in getattr(splits, split)]) for split in metrics}
    naming = found["validation"], classes["validation"]
    for split in metrics:
        error = evaluation.cluster_error(*naming, found[split], classes[split], naming=evaluation.matched_classes)
        metrics[split].update(error)
    # Most errors come from a category that holds two classes.
    matched = evaluation.matched_classes(*naming)
    num_classes = labelled.spaces["condition"].num_classes
    table = evaluation.cluster_table(found["test"], classes["test"], num_classes)[np.argsort(matched, kind="stable")]
    if run.is_chief:
        names = [f"category of class {label}" for label in np.sort(matched)]
        counts = [{f"class {label}": int(count) for label, count in enumerate(row)} for row in table]
        print(markdown_table(dict(zip(names, counts, strict=True))))
    if run.is_chief:
        # One row for each category, with the same remaining noise in each column.
        noise = {
            name: np.tile(values, (num_categories, *(1,) * (len(values.shape) - 1)))
            for name, values in model.noise(10, run.seed).items()
        }
        noise["category"] = np.repeat(np.arange(num_categories, dtype=np.int32), 10)
        rows = model.generate({name: keras.ops.convert_to_tensor(values) for name, values in noise.items()})
        run.save_picture("categories.png", pictures.picture(model.event_space, rows.numpy()))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Losses and the bound of the information, in nats, on held-out noise; each category stands for "
        "another class, so that most validation examples get theirs. The rows of the table are the categories in the "
        "order of their classes, its columns the classes of the test examples.",
        table=table.tolist(),
    )


if __name__ == "__main__":
    main.cli()
