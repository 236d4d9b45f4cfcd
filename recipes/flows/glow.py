"""Glow (Kingma and Dhariwal, 2018, https://arxiv.org/abs/1807.03039).

python -m recipes.flows.glow                       digits
python -m recipes.flows.glow --preset paper        CIFAR-10, 3 scales of 32 steps, 512 filters; not run here
python -m recipes.flows.glow --preset two_cores    MNIST, 2 scales of 8 steps, 64 filters

Measured on two cores. Digits, 121 s alongside other trainings: test negative log-likelihood at most 85.53 ± 0.71 nats,
1.928 bits per dimension (100 samples); independent pixels 106.9. MNIST with `--epochs 2 --num-samples 4`, 19 minutes of
training alongside others, before its networks had activation normalizations and pixels shared their scale: at most
1.528 bits per dimension (published: 1.05, after many more epochs); samples have the strokes of digits, but few are
digits.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="cifar10",
        epochs=1250,
        batch_size=64,
        num_scales=3,
        num_steps=32,
        filters=512,
        temperature=0.7,
        logit_margin=None,
        learning_rate=0.001,
        patience=0,
        num_samples=8,
    ),
    two_cores=dict(
        dataset="mnist", epochs=6, num_scales=2, num_steps=8, filters=64, temperature=1.0, logit_margin=1e-6
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    schedule: training.Schedule = training.Schedule(epochs=30, batch_size=32, learning_rate=0.002, patience=10),
    dequantization: str = "uniform",
    num_scales: int = 2,
    num_steps: int = 4,
    filters: int = 32,
    temperature: float = 1.0,
    logit_margin: float | None = 1e-6,
    num_samples: int = 100,
) -> dict:
    """Trains Glow on the levels of images and evaluates two lower bounds on its likelihood.

    Args:
        dequantization: name of the distribution of the noise that turns levels into real numbers, or JSON.
        num_scales: number of scales.
        num_steps: number of steps at each scale.
        filters: channels in the couplings' networks.
        temperature: standard deviation of the noise that samples are generated from.
        logit_margin: distance of the lowest and highest levels from 0 and 1 before the logit; none for no logit, as in
            the paper.
        num_samples: importance samples of each test example.
    """
    import keras

    from keras_gen import flows

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    with run.scope():
        model = flows.Glow(
            splits.event_shape,
            splits.levels,
            num_scales=num_scales,
            num_steps=num_steps,
            filters=filters,
            temperature=temperature,
            dequantization=training.component(dequantization),
            logit_margin=logit_margin,
            seed=run.seed,
        )
        optimizer = keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch), global_clipnorm=100.0)
        run.compile(model, optimizer, xla=False)
    return training.fit_levels(run, model, splits, schedule, num_samples=num_samples)


if __name__ == "__main__":
    main.cli()
