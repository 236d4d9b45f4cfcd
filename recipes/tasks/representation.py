"""How useful the codes of a VAE are (Kingma, Welling, 2013, https://arxiv.org/abs/1312.6114).

python -m recipes.tasks.representation                       digits
python -m recipes.tasks.representation --preset two_cores    MNIST

Measured on two cores. Digits, 160 s alongside other work, test accuracy with all 1,437 labels, with 100 and with 10:
nearest neighbours of codes 0.900 ± 0.022, 0.790 ± 0.010, 0.544 ± 0.033; linear probe of codes 0.872 ± 0.025, 0.807 ±
0.010, 0.567 ± 0.029 (with each entry divided by its own deviation 0.878, 0.776, 0.434), of means and log deviations
0.900, 0.804, 0.548, of the encoder's last hidden layer 0.933 ± 0.019, 0.856 ± 0.008, 0.556 ± 0.034. For the same number
of principal components: neighbours 0.933, 0.797, 0.577; linear 0.900, 0.802, 0.520. MNIST with `--epochs 6`, 9 minutes
alongside another training, with all 50,000 labels and with 1,000, 100 and 10: neighbours of codes 0.975 ± 0.002, 0.911,
0.747, 0.367, of components 0.970, 0.890, 0.737, 0.420; linear probe of components 0.906, 0.856, 0.643, 0.289, of codes
with each entry divided by its own deviation 0.937 ± 0.002, 0.887, 0.704, 0.253; the others: not measured yet.
"""

from keras_gen import training


@training.recipe(
    two_cores=dict(
        dataset="mnist", latent_size=50, filters=(16, 32), hidden_units=(256,), epochs=20, label_budgets=(10, 100, 1000)
    )
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=60, batch_size=100, learning_rate=0.002),
    latent_size: int = 10,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    label_budgets: tuple[int, ...] = (10, 100),
    num_draws: int = 5,
) -> dict:
    """Trains a VAE without labels, classifies its codes with few labels and with all, and draws the space of codes.

    The codes are compared with the mean and the logarithm of the deviation of q(z|x), with the last hidden layer of the
    encoder, and with as many principal components of the examples as a code has entries.

    Args:
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        label_budgets: numbers of labels to classify with, in addition to all of them.
        num_draws: how often the labels are drawn for each number.
    """
    import keras
    from sklearn.decomposition import PCA

    from keras_gen import evaluation, latent

    labelled = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    splits = labelled.unlabelled()
    with run.scope():
        model = latent.VAE(
            splits.event_shape,
            latent_size,
            splits.levels,
            hidden_units=hidden_units,
            filters=filters,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = evaluation.likelihoods(model, splits, num_samples=100)
    names = ("train", "validation", "test")
    labels = [labelled.labels(split) for split in names]
    codes = [evaluation.codes(model, splits.array(split)) for split in names]
    pixels = [splits.array(split).reshape(splits.size(split), -1) for split in names]
    pca = PCA(min(latent_size, pixels[0].shape[1])).fit(pixels[0])
    components = [pca.transform(x) for x in pixels]
    moments, hidden = (
        [compute(model, splits.array(split)) for split in names]
        for compute in (evaluation.posterior_moments, evaluation.hidden_features)
    )
    # Codes and the parameters of q(z|x) are in units of the prior's deviation; the others have no unit.
    linear, neighbours = evaluation.linear_probe, evaluation.nearest_neighbours
    probes = {
        "linear_probe_codes": (linear, codes, {"scale": 1.0}),
        "linear_probe_posterior": (linear, moments, {"scale": 1.0}),
        "linear_probe_hidden": (linear, hidden, {}),
        "linear_probe_components": (linear, components, {}),
        "nearest_neighbours_codes": (neighbours, codes, {}),
        "nearest_neighbours_components": (neighbours, components, {}),
    }
    budgets = {"label_budgets": (*label_budgets, None), "num_draws": num_draws, "seed": run.seed}
    for name, (how, features, arguments) in probes.items():
        for probe in how(*zip(features, labels, strict=True), **budgets, **arguments):
            figure = f"accuracy_{name}_{probe.num_labels}"
            metrics["test"][figure] = probe.accuracy
            metrics["test"][f"{figure}_standard_error"] = probe.standard_error

    x, shown = splits.array("test"), 8
    pictures = {
        "traversals.png": evaluation.traversals(model, codes[0], start=codes[2][0]),
        "interpolations.png": evaluation.interpolations(model, x[:shown], x[shown : 2 * shown]),
        "spherical_interpolations.png": evaluation.interpolations(
            model, x[:shown], x[shown : 2 * shown], spherical=True
        ),
        "latent_map.png": evaluation.latent_map(codes[2], labels[2]),
    }
    if run.is_chief:
        for name, picture in pictures.items():
            run.save_picture(name, picture)
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Bounds of the likelihood; accuracy on test examples of classifiers on codes, on means and logarithms "
        "of deviations of the posterior, on the encoder's last hidden layer, and on as many principal components as a "
        "code has entries, with the number of labels that the figure's name ends with, and at most as many for "
        "validation.",
    )


if __name__ == "__main__":
    main.cli()
