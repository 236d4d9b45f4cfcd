"""RNADE (Uria, Murray and Larochelle, 2013, https://arxiv.org/abs/1306.0186).

python -m recipes.autoregressive.rnade                       breast_cancer
python -m recipes.autoregressive.rnade --preset paper        red wine, ten folds, all of the grid; not run here
python -m recipes.autoregressive.rnade --preset two_cores    red wine, ten folds
python -m recipes.autoregressive.rnade --preset two_cores --dataset ionosphere.csv --columns 2:34
python -m recipes.autoregressive.rnade --preset two_cores --dataset housing.data --columns 0,2,4:8,10:14

The paper leaves out discrete columns and one of two columns with a correlation above 0.98; the last two commands choose
columns accordingly.

Measured on two cores alongside other work; exact test log-likelihoods in nats of standardised data. Breast cancer,
34 s: -7.13 ± 2.04 (a Gaussian -10.61). Means of ten folds, 9 to 15 minutes each: red wine -9.69 ± 0.12 (the paper
-9.36), ionosphere -14.16 ± 1.56 (-2.50; with larger decays than the paper's, `--weight-decays 2 5 10`, -13.65 ± 1.51),
Boston housing -2.10 ± 0.31 (-0.64). Such figures also measure repeated values: independent columns with spikes of
standard deviation 0.001 have 17.65 ± 0.19, 2.00 ± 3.23 and 0.08 ± 0.35. With
`--dequantize --num-steps 1000 --weight-decays 1 0.1`, which removes the gain from spikes: red wine -9.69 ± 0.11 (a
Gaussian -13.20, columns with spikes -13.11), Boston housing -2.97 ± 0.34 (-11.38, -11.02).
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="winequality-red.csv",
        columns="0:11",
        folds=10,
        num_steps=5000,
        batch_size=100,
        learning_rates=(0.1, 0.05, 0.025, 0.0125),
        weight_decays=(2.0, 1.0, 0.1, 0.01, 0.001, 0.0),
        hidden_units=50,
        num_components=(2, 5, 10, 20),
        component="gaussian",
    ),
    two_cores=dict(num_steps=2000, learning_rates=(0.1,), weight_decays=(2.0, 1.0, 0.1), num_components=(20,)),
)
def main(
    run: "training.Run",
    *,
    data: training.Vectors = training.Vectors("breast_cancer"),
    schedule: training.GridSchedule = training.GridSchedule(
        num_steps=2800, batch_size=32, learning_rates=(0.1,), weight_decays=(1.0,)
    ),
    dequantize: bool = False,
    hidden_units: int = 100,
    num_components: tuple[int, ...] = (2,),
    component: Literal["gaussian", "laplace"] = "laplace",
) -> dict:
    """Trains RNADE on standardised real vectors and evaluates its exact likelihood.

    If several learning rates, weight decays or numbers of components are given, validation rows choose between them; in
    a cross-validation, the validation rows of each fold do.

    Args:
        dequantize: add uniform noise to each column, as wide as the smallest step between its values; without it, the
            likelihood of rounded values has no upper bound.
        hidden_units: number of hidden units.
        num_components: numbers of components of each conditional's mixture to choose from.
        component: distribution of the components.
    """
    import keras

    from keras_gen import autoregressive
    from keras_gen.data import dequantized

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, standardize=True)
    if dequantize:
        splits = dequantized(splits)
    schedule = schedule.counted(splits.steps_per_epoch)

    def build(num_components: int, learning_rate: float, weight_decay: float) -> autoregressive.RNADE:
        model = autoregressive.RNADE(
            splits.event_shape, hidden_units, num_components, component=component, seed=run.seed
        )
        # Plain gradient descent, as in the paper, but with a bound on the gradient.
        rate = schedule.rate(learning_rate)
        optimizer = keras.optimizers.SGD(rate, weight_decay=weight_decay, global_clipnorm=5.0)
        # Weight decay applies only to W.
        optimizer.exclude_from_weight_decay(var_names=["output_kernel", "bias", "factors"])
        return run.compile(model, optimizer, xla=True)

    model, metrics, folds = training.fit_chosen(
        run,
        splits,
        build,
        {
            "num_components": num_components,
            "learning_rate": schedule.learning_rates,
            "weight_decay": schedule.weight_decays,
        },
        schedule,
    )
    return run.finish(model, splits, metrics, protocol=training.CHOSEN, folds=folds)


if __name__ == "__main__":
    main.cli()
