"""IWAE (Burda, Grosse, Salakhutdinov, 2015, https://arxiv.org/abs/1509.00519).

python -m recipes.latent.iwae                       digits, 10 samples
python -m recipes.latent.iwae --preset two_cores    binarized MNIST, 50 samples
python -m recipes.latent.iwae --preset paper        the same, tanh units, for 3,280 epochs; not run here

python -m recipes.latent.iwae --preset two_cores --filters 16 32 --hidden-units 256 --epochs 1 --learning-rate 0.0005 \\
    --num-samples 500 --start-from runs/latent/vae/binarized_mnist
                                                    one pass from the weights of the VAE, which has the same nets

The paper's learning rate falls in seven steps; here it falls along a cosine.

Measured on two cores. Digits, 32 s of processor time: test negative log-likelihood at most 16.71 ± 0.28 nats (1,000
importance samples; the ELBO is -20.14). The last command, starting from the VAE that
`recipes.latent.vae --preset two_cores` trained for 30 epochs (at most 86.70), 7 minutes alongside another training: at
most 86.08 ± 0.22 (500 samples; the ELBO is -94.56).
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="binarized_mnist",
        latent_size=50,
        num_train_samples=50,
        gradient="reparameterized",
        activation="tanh",
        epochs=3280,
        batch_size=20,
        learning_rate=0.001,
        num_samples=5000,
    ),
    two_cores=dict(
        gradient="doubly_reparameterized", activation="silu", epochs=20, batch_size=100, learning_rate=0.002
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=60, batch_size=100, learning_rate=0.002),
    latent_size: int = 10,
    hidden_units: tuple[int, ...] = (200, 200),
    filters: tuple[int, ...] = (),
    num_train_samples: int = 10,
    gradient: Literal["reparameterized", "doubly_reparameterized"] = "doubly_reparameterized",
    activation: str = "silu",
    num_samples: int = 1000,
) -> dict:
    """Trains an IWAE and evaluates two lower bounds on its likelihood: the ELBO, and one by importance sampling.

    Args:
        latent_size: entries of the code.
        hidden_units: widths of the dense hidden layers of the encoder.
        filters: channels of the convolutions before them.
        num_train_samples: number of codes drawn for each training example.
        gradient: reparameterized, or doubly_reparameterized, which has less variance.
        activation: activation of the hidden layers.
        num_samples: importance samples of each test example.
    """
    import keras

    from keras_gen import evaluation, latent

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = latent.IWAE(
            splits.event_shape,
            latent_size,
            splits.levels,
            num_samples=num_train_samples,
            gradient=gradient,
            hidden_units=hidden_units,
            filters=filters,
            activation=activation,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=not filters)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = evaluation.likelihoods(model, splits, num_samples)
    return run.finish(model, splits, metrics, protocol=training.BOUNDS)


if __name__ == "__main__":
    main.cli()
