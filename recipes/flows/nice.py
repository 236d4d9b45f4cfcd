"""NICE (Dinh, Krueger and Bengio, 2014, https://arxiv.org/abs/1410.8516).

python -m recipes.flows.nice            digits with 17 levels
python -m recipes.flows.nice --paper    MNIST with 256 levels

Measured on two cores. Digits, 2.5 minutes beside other trainings: test negative log-likelihood at most 115.7 ± 0.9
nats, 2.608 bits per dimension (100 samples); independent pixels 106.9. MNIST with `--epochs 4 --num-samples 8`, 8
minutes beside another training: at most 5.591 bits per dimension, far from converged.
"""

from keras_gen import training


@training.recipe(
    dataset="mnist",
    epochs=15,
    batch_size=200,
    hidden_units=(1000,) * 5,
    learning_rate=0.001,
    num_samples=20,
)
def main(
    *,
    dataset: str = "digits",
    epochs: int = 60,
    batch_size: int = 50,
    seed: int = 0,
    folder: str | None = None,
    num_layers: int = 4,
    hidden_units: tuple[int, ...] = (200, 200),
    prior: str = "logistic",
    activation: str = "relu",
    dequantization: str = "uniform",
    logit_margin: float | None = None,
    standardize: bool = True,
    learning_rate: float = 0.002,
    patience: int = 0,
    num_samples: int = 100,
    options: training.Options = training.Options(),
) -> dict:
    """Trains NICE on images with grey levels, and evaluates lower bounds of its likelihood.

    Args:
        dataset: name or path of a data set.
        epochs: passes over the training data, at most; the learning rate falls to zero over them.
        batch_size: examples in a training step.
        seed: seed of everything random.
        folder: folder of the run; by default runs/<family>/<model>/<data set>.
        num_layers: couplings.
        hidden_units: width of each hidden layer of the couplings' networks.
        prior: logistic or gaussian.
        activation: activation of the hidden layers.
        dequantization: name of the distribution of the noise that makes levels real numbers, or JSON.
        logit_margin: part of the unit interval at each of its ends that levels leave free in front of a logit; by
            default, as in the paper, there is no logit.
        standardize: whether each entry starts with mean 0 and variance 1; the paper has its scaling learn that.
        learning_rate: learning rate of Adam at the start.
        patience: epochs without a better validation bound after which training stops; 0 never stops.
        num_samples: importance samples of each test example.
        options: how to train, whatever the model.
    """
    config = dict(locals())
    import keras

    from keras_gen import data, flows

    run = training.Run(main.name, folder, config, options)
    splits = data.load(dataset, batch_size=batch_size, seed=seed, binarization="none")
    with run.scope():
        model = flows.NICE(
            splits.event_shape,
            num_layers,
            hidden_units,
            prior=prior,
            activation=activation,
            levels=splits.levels,
            dequantization=training.part(dequantization),
            logit_margin=logit_margin,
            seed=seed,
        )
        rate = keras.optimizers.schedules.CosineDecay(learning_rate, epochs * splits.steps_per_epoch)
        model.compile(
            run.averaged(keras.optimizers.Adam(rate, global_clipnorm=5.0)), jit_compile=run.jit_compile(faster=True)
        )
    return training.fit_levels(
        run, model, splits, epochs=epochs, num_samples=num_samples, patience=patience, adapt=standardize
    )


if __name__ == "__main__":
    main.cli()
