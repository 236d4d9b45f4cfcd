"""Conditional GAN (Mirza and Osindero, 2014, https://arxiv.org/abs/1411.1784).

python -m recipes.adversarial.conditional_gan                       digits, given their class
python -m recipes.adversarial.conditional_gan --preset paper        MNIST, the paper's networks and optimizers
python -m recipes.adversarial.conditional_gan --preset two_cores    the same for 50 epochs

In the paper's preset, the epoch with the best Parzen windows of validation data is kept.

Measured on two cores. Digits, 94 s alongside other work, three seeds: Parzen-window log-likelihood 10.2 ± 0.9. A
classifier trained on samples is right about 63 ± 5 % of the test digits, one trained on training digits about
98.0 ± 0.6 %. A classifier of digits puts 56 ± 5 % of the samples into the class that was requested, and 98.3 ± 0.6 % of
the test digits into their own. The presets have not been measured yet (paper 132).

The paper's second experiment, tags of images, is recipes.adversarial.image_tags.
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(dataset="mnist", network="own", generator_average=0.0, epochs=250, batch_size=100, parzen_every=5),
    two_cores=dict(epochs=50),
)
def main(
    run: "training.Run",
    *,
    data: training.Images = training.Images("digits"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=150, batch_size=100, learning_rate=0.0005),
    network: Literal["dense", "own"] = "dense",
    num_classes: int = 10,
    latent_size: int = 32,
    noise_units: int = 64,
    condition_units: int = 64,
    hidden_units: tuple[int, ...] = (200,),
    batch_norm: bool = False,
    units: int = 100,
    dropout: float = 0.3,
    input_dropout: float = 0.0,
    generator_average: float = 0.999,
    num_samples: int = 10_000,
    parzen_every: int = 0,
    judge_epochs: int = 20,
) -> dict:
    """Trains a conditional GAN and evaluates its samples, of all classes in turn, by Parzen windows and by classifiers.

    Args:
        network: what both players are made of; own selects the networks, the noise, the output, the losses and the
            optimizers of the paper.
        num_classes: number of classes.
        latent_size: length of the noise.
        noise_units: width of the first layer, which takes the noise.
        condition_units: width of the first layer, which takes the class.
        hidden_units: widths of the layers that take both.
        batch_norm: whether these layers have batch normalization.
        units: maxout units of each hidden layer of the discriminator.
        dropout: share of these units that each training step leaves out.
        input_dropout: share of the entries of an example that each training step leaves out.
        generator_average: momentum of the moving average of the generator's weights, unless ema names one; 0 for none.
        num_samples: number of samples that get a Parzen window and that the classifier is trained on.
        parzen_every: epochs between Parzen-window evaluations on validation data; the best epoch is kept. 0 keeps the
            last epoch.
        judge_epochs: epochs of the classifier of real images that predicts the class of samples; one for 28×28 grey
            digits comes with the package.
    """
    import keras
    import numpy as np

    from keras_gen import adversarial, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    chosen = {}
    if network == "dense":
        sizes = {"noise_units": noise_units, "condition_units": condition_units, "hidden_units": hidden_units}
        maxout = {"units": (units, units), "pieces": (5, 4), "dropout": dropout, "input_dropout": input_dropout}
        chosen = {
            "latent_size": latent_size,
            "generator_network": {"name": "dense", "batch_norm": batch_norm, **sizes},
            "discriminator_network": {"name": "maxout", "condition_scale": 10.0, **maxout},
            "output_activation": "tanh",
            "objective": "non_saturating",
        }
    with run.scope():
        model = adversarial.ConditionalGAN(
            splits.event_shape,
            splits.levels,
            num_classes=num_classes,
            generator_average=run.options.ema or generator_average,
            seed=run.seed,
            **chosen,
        )
        rate = schedule.rate(splits.steps_per_epoch)
        optimizers = [keras.optimizers.Adam(rate, beta_1=0.5) for _ in range(2)]
        run.compile(model, *(model.default_optimizers().values() if network == "own" else optimizers), xla=True)
    if network == "own":
        model.adapt(splits.array("train"))
    model = training.fit_to_best_parzen(run, model, splits, schedule, num_samples=num_samples, every=parzen_every)

    metrics = training.judged_players(model, splits, num_samples=num_samples, seed=run.seed)
    # Parzen windows do not show whether a sample belongs to its class.
    judge = None
    if splits.event_shape != (28, 28, 1):
        judge = training.trained_judge(run, "judge", splits, epochs=judge_epochs)
    order = np.random.default_rng(run.seed).permutation(splits.size("train"))[:num_samples]
    real = splits.array("train")[order], splits.labels("train")[order]
    arguments = {"levels": splits.levels, "num_samples": num_samples, "seed": run.seed}
    agreement = evaluation.class_agreement(model, judge, **arguments)
    for split in metrics:
        held_out = splits.array(split), splits.labels(split)
        ceiling = evaluation.classification_accuracy_score(real, held_out, levels=splits.levels, seed=run.seed)
        metrics[split] |= {
            **evaluation.classification_accuracy_score(model, held_out, **arguments),
            "classification_accuracy_score_ceiling": ceiling["classification_accuracy_score"],
            **agreement,
            "class_agreement_ceiling": evaluation.class_agreement(held_out, judge, levels=splits.levels)[
                "class_agreement"
            ],
        }
    return run.finish(
        model,
        splits,
        metrics,
        protocol=f"{training.JUDGED} The score is the accuracy on held-out data of a classifier trained on "
        "samples, its ceiling that of one trained on training images, as many or all. The agreement is the share of "
        "samples that a classifier of real images puts into their class, its ceiling that of held-out images.",
    )


if __name__ == "__main__":
    main.cli()
