"""Samples of trained models, compared in one table (Heusel et al., 2017, https://arxiv.org/abs/1706.08500; and others).

python -m recipes.tasks.sample_quality                                    digits: figures of data and of shuffled pixels
python -m recipes.tasks.sample_quality --models runs/latent/vae/digits runs/adversarial/dcgan/digits
python -m recipes.tasks.sample_quality --preset two_cores --models runs/latent/vae/mnist runs/adversarial/dcgan/mnist

Measured on two cores. MNIST, 10,000 samples, 49 s of processor time. Training data: Fréchet distance 0.93, kernel
distance 0.6 ± 0.6, precision 0.856, recall 0.869, density 0.937, coverage 0.953, score 9.84 ± 0.01. A DCGAN: 19.9,
64.9 ± 3.1 (a mean over ten subsets, from an earlier version), 0.608, 0.756, 0.455, 0.570, 8.05 ± 0.04.
"""

from keras_gen import training


@training.recipe(two_cores=dict(dataset="mnist"))
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    models: tuple[str, ...] = (),
    extractor: str | None = None,
    num_samples: int | None = None,
    accuracy_score: bool = False,
    epochs: int = 30,
    batch_size: int = 100,
) -> dict:
    """Compares samples of models with test data by their features: Fréchet and kernel distance, precision, and so on.

    Two rows give the figures their scale: training data, which no model should beat by much, and training data with
    pixels shuffled among images. Models may draw images as flat vectors, or with other levels than the data.

    Args:
        models: folders of runs, or .keras files.
        extractor: what computes features: the folder of a run of tasks.classifier, or its .keras file; or inception,
            for Inception-v3 if its weights are available. By default the classifier of 28×28 grey digits that comes
            with the package; for images of another shape, a classifier trained here on the labels of the training data.
        num_samples: number of samples of each model; by default as many as there are test examples.
        accuracy_score: also train classifiers on samples of models conditioned on classes, and on as many training
            images, which is the ceiling; and report how often the extractor predicts the class that was requested.
        epochs: number of epochs of a classifier that is trained here.
        batch_size: examples in a training step of that classifier.
    """
    import dataclasses

    import keras
    import numpy as np

    import keras_gen
    from keras_gen import evaluation
    from keras_gen.spaces import ClassLabel

    loaded = {path: keras_gen.load_model(path) for path in models}
    classified = extractor is None and data.load().event_shape != (28, 28, 1)
    splits = data.load(batch_size=batch_size, seed=run.seed, labels=classified or accuracy_score)
    for path, model in loaded.items():
        if model.event_size != int(np.prod(splits.event_shape)):
            raise ValueError(
                f"`models` must draw images of shape {splits.event_shape}; {path} draws {model.event_shape}."
            )
    if classified:
        judge = evaluation.Classifier(
            splits.event_shape, splits.spaces["condition"].num_classes, splits.levels, num_features=32, seed=run.seed
        )
        judge.compile(keras.optimizers.Adam(0.003))
        judge.fit(splits.train_from(0), steps_per_epoch=splits.steps_per_epoch, epochs=epochs, verbose=0)
        accuracy = judge.evaluate(splits.test, verbose=0, return_dict=True)["accuracy"]
        print(f"features of a classifier with test accuracy {accuracy:.4f}")
    elif extractor == "inception":
        judge = dataclasses.replace(evaluation.inception(), event_shape=splits.event_shape)
    else:
        judge = None if extractor is None else keras_gen.load_model(extractor)

    test, train = splits.array("test"), splits.array("train")
    random = np.random.default_rng(run.seed)
    num_samples = num_samples or len(test)
    real = train[random.permutation(len(train))[:num_samples]]
    named = {f"{type(model).__name__} ({path})": model for path, model in loaded.items()}
    sources = {"training data": real, "shuffled pixels": random.permuted(real, axis=0), **named}
    features = evaluation.image_features(test, judge, levels=splits.levels)
    arguments = {"levels": splits.levels, "seed": run.seed}
    rows = {
        name: evaluation.sample_quality(source, features, num_samples=num_samples, **arguments)
        for name, source in sources.items()
    }
    if accuracy_score:
        conditional = {name: m for name, m in named.items() if isinstance(m.condition_space, ClassLabel)}
        for name, source in {"training data": (train, splits.labels("train")), **conditional}.items():
            found = evaluation.classification_accuracy_score(
                source, (test, splits.labels("test")), num_samples=len(train), **arguments
            )
            rows[name].update({figure: value for figure, value in found.items() if figure != "num_samples"})
        for name, source in {"test data": (test, splits.labels("test")), **conditional}.items():
            found = evaluation.class_agreement(source, features.extractor, num_samples=num_samples, **arguments)
            rows.setdefault(name, {}).update(found)
    return run.finish_table(
        splits,
        rows,
        protocol=f"Samples against all test examples, by features of {features.extractor.name}; kernel distances over "
        "all pairs with the standard error of the jackknife, scores with that over parts.",
    )


if __name__ == "__main__":
    main.cli()
