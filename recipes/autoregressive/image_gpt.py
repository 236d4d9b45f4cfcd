"""Image GPT (Chen et al., 2020, https://proceedings.mlr.press/v119/chen20s.html), a causal transformer over pixels.

python -m recipes.autoregressive.image_gpt                       digits
python -m recipes.autoregressive.image_gpt --preset two_cores    binarized MNIST; not measured yet
python -m recipes.autoregressive.image_gpt --preset paper        ImageNet of 32×32 pixels, iGPT-S; not run here
python -m recipes.autoregressive.image_gpt --num-classes 10      given their class

imagenet/ is a folder of the photographs of ImageNet. The paper's palette of 512 colours is not an argument: a pixel is
three entries here.

Measured on two cores; exact test negative log-likelihoods in nats. Digits: 16.96 ± 0.38 (a mixture of Bernoullis
18.50).
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="imagenet/",
        image_size=32,
        binarization="none",
        num_layers=24,
        width=512,
        num_heads=8,
        dropout=0.0,
        epochs=100,
        batch_size=128,
        learning_rate=0.003,
    ),
    two_cores=dict(
        dataset="binarized_mnist",
        image_size=None,
        binarization="threshold",
        num_layers=4,
        width=64,
        num_heads=4,
        epochs=8,
        batch_size=32,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.Schedule = training.Schedule(epochs=60, batch_size=50, learning_rate=0.003, patience=10),
    num_layers: int = 3,
    width: int = 48,
    num_heads: int = 4,
    dropout: float = 0.1,
    num_classes: int | None = None,
) -> dict:
    """Trains a causal transformer and evaluates its exact likelihood beside two baselines.

    Args:
        num_layers: number of residual blocks.
        width: features of an entry, a multiple of the heads.
        num_heads: heads of each attention.
        dropout: share of each block's output that is dropped in training.
        num_classes: number of classes to condition on; none by default.
    """
    import keras

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=num_classes is not None)
    with run.scope():
        model = autoregressive.TransformerAR(
            splits.event_shape,
            splits.levels,
            num_layers=num_layers,
            width=width,
            num_heads=num_heads,
            dropout=dropout,
            num_classes=num_classes,
            seed=run.seed,
        )
        # As in the paper, the learning rate rises first.
        steps = schedule.epochs * splits.steps_per_epoch
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, steps, warmup_target=schedule.learning_rate, warmup_steps=min(500, steps // 10)
        )
        optimizer = keras.optimizers.AdamW(rate, weight_decay=0.01, beta_2=0.95, global_clipnorm=1.0)
        run.compile(model, optimizer, xla=True)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)
    return run.finish(model, splits, evaluation.likelihoods(model, splits), protocol=training.EXACT)


if __name__ == "__main__":
    main.cli()
