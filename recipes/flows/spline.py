"""Neural spline flows (Durkan, Bekasov, Murray and Papamakarios, 2019, https://arxiv.org/abs/1906.04032).

python -m recipes.flows.spline                                          breast_cancer
python -m recipes.flows.spline --paper --dataset winequality-red.csv    red wine, ten folds
python -m recipes.flows.spline --model autoregressive
python -m recipes.flows.spline --dataset two_moons --epochs 15 --batch-size 200 --num-layers 4 --units 64
    --weight-decay 0

Measured on two cores. breast_cancer, coupling form: test log-likelihood 37.81 ± 2.93 nats (a Gaussian 29.61).
"""

from typing import Literal

from keras_gen import training


@training.recipe(dataset="winequality-red.csv", columns="0:11", folds=10, epochs=150, batch_size=100, patience=30)
def main(
    *,
    model: Literal["coupling", "autoregressive"] = "coupling",
    dataset: str = "breast_cancer",
    columns: str | None = None,
    folds: int = 0,
    epochs: int = 60,
    batch_size: int = 32,
    seed: int = 0,
    folder: str | None = None,
    num_layers: int = 4,
    units: int = 32,
    num_blocks: int = 2,
    num_bins: int = 8,
    bound: float = 3.0,
    learning_rate: float = 0.002,
    weight_decay: float = 0.3,
    patience: int = 20,
    options: training.Options = training.Options(),
) -> dict:
    """Trains a neural spline flow on real vectors and evaluates its exact likelihood.

    Args:
        model: coupling or autoregressive.
        dataset: name or path of a set of real vectors; of a toy density, the gap to the truth is reported, too.
        columns: columns of a table to keep, such as 0:11.
        folds: folds of a cross-validation before the training; 0 for none.
        epochs: passes over the training data, at most.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        num_layers: layers of the flow.
        units: width of the layers' networks.
        num_blocks: residual blocks in the network of a coupling, or hidden layers in that of an autoregressive layer.
        num_bins: bins of a spline.
        bound: the splines' interval is from -bound to bound, in standard deviations of the data.
        learning_rate: learning rate of AdamW at the start; it falls to 0 along a cosine.
        weight_decay: its weight decay.
        patience: epochs without a better validation likelihood after which training stops.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    from keras_gen import data, flows

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, columns=columns)

    def build(rows: int) -> flows.NeuralSplineFlow | flows.MaskedSplineFlow:
        arguments = {"num_bins": num_bins, "bound": bound, "seed": seed}
        if model == "coupling":
            flow = flows.NeuralSplineFlow(splits.event_shape, num_layers, units, num_blocks=num_blocks, **arguments)
        else:
            flow = flows.MaskedSplineFlow(splits.event_shape, num_layers, (units,) * num_blocks, **arguments)
        steps = epochs * max(1, rows // batch_size)
        return training.compiled(
            run, flow, steps=steps, learning_rate=learning_rate, weight_decay=weight_decay, max_norm=5.0
        )

    flow, metrics = training.fit_vectors(
        run, splits, build, epochs=epochs, batch_size=batch_size, folds=folds, patience=patience, seed=seed
    )
    return run.finish(flow, splits, metrics, protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
