"""RBM (Salakhutdinov, Murray, 2008, On the Quantitative Analysis of Deep Belief Networks, ICML).

python -m recipes.energy.rbm                       digits
python -m recipes.energy.rbm --preset two_cores    binarized MNIST, 500 hidden units, persistent chains
python -m recipes.energy.rbm --preset paper        binarized MNIST, 500 hidden units, CD-25; not run here

The paper's steps of contrastive divergence rise from 1 to 25; this schedule is not an argument. The paper gives no
learning rate: the preset's learning rate, momentum and weight decay are those of its author's code.

Measured on two cores alongside other trainings; negative log-likelihoods in nats by annealed importance sampling, which
tends to flatter, with three standard errors of Z on either side. `--preset two_cores`, 27 minutes of training and 5 of
annealing: test 88.16 (87.71 to 88.46), a free-energy gap of 4.4 between validation and training data (the paper, CD-25:
86.34). Three minutes more, `--preset two_cores --start-from FOLDER --learning-rate 0.05 --weight-decay 0.002 --epochs
8`: test 87.83, 88.52 at most and without a lower end, a gap of 3.5; with log Z from 160 chains instead of 100, by
`keras_gen.load_model(FOLDER).estimate_log_partition(160, 14_500, seed=1)`: test 87.82 (87.13 to 88.22), validation
88.45. Digits, one minute: test 18.23 ± 0.35 (18.19 to 18.28; a mixture of Bernoullis 18.50).

Features of MNIST, `--dataset mnist --binarization threshold --hidden-units 1024 --negative-phase contrastive_divergence
--probe-strengths 0.003 --epochs 15 --num-temperatures 1000`, under two minutes of training: a logistic regression on
the hidden units is right about 96.5 ± 0.2 % of the test set. This machine's draws are not digits, and its test negative
log-likelihood is 171.90.
"""

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="binarized_mnist",
        hidden_units=500,
        negative_phase='{"name": "contrastive_divergence", "num_steps": 25}',
        momentum=0.9,
        weight_decay=0.001,
        epochs=250,
        learning_rate=0.05,
        num_temperatures=14500,
    ),
    two_cores=dict(
        negative_phase='{"name": "persistent_chains", "num_chains": 100, "num_steps": 5}',
        momentum=0.0,
        weight_decay=0.0,
        epochs=80,
        learning_rate=0.2,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=200, batch_size=100, learning_rate=0.1),
    hidden_units: int = 100,
    negative_phase: str = "persistent_chains",
    momentum: float = 0.0,
    weight_decay: float = 0.0,
    num_sweeps: int = 1000,
    num_samples: int = 100,
    num_temperatures: int = 5000,
    probe_strengths: tuple[float, ...] = (),
) -> dict:
    """Trains an RBM and evaluates its likelihood by annealed importance sampling.

    Args:
        hidden_units: number of hidden units.
        negative_phase: contrastive_divergence, persistent_chains or parallel_tempering, or JSON such as
            {"name": "contrastive_divergence", "num_steps": 25}.
        momentum: share of the previous step's movement that the next step repeats.
        weight_decay: share of the weights, per unit of learning rate, that each step removes.
        num_sweeps: sweeps of Gibbs sampling for each sample.
        num_samples: number of annealing chains.
        num_temperatures: number of annealing steps.
        probe_strengths: inverse penalties to choose from for a logistic regression on the probabilities of the hidden
            units, for data with labels; none for no classifier.
    """
    import keras
    import numpy as np

    from keras_gen import energy, evaluation

    labelled = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=bool(probe_strengths))
    splits = labelled.unlabelled() if probe_strengths else labelled
    with run.scope():
        model = energy.RBM(
            splits.event_shape,
            hidden_units,
            splits.levels,
            negative_phase=training.component(negative_phase),
            num_sweeps=num_sweeps,
            seed=run.seed,
        )
        rate = schedule.rate(splits.steps_per_epoch)
        descent = keras.optimizers.SGD(rate, momentum=momentum, weight_decay=weight_decay or None)
        descent.exclude_from_weight_decay([model.bias, model.hidden_bias])
        # A loop of sweeps is slower with XLA.
        run.compile(model, descent, xla=False)
    model.adapt(splits.array("train"))
    model = run.fit(model, splits, epochs=schedule.epochs, monitor=None)

    x = {split: splits.array(split) for split in ("train", "validation", "test")}
    free_energies = {split: model.predict(values, verbose=0).astype(np.float64) for split, values in x.items()}
    log_z = model.estimate_log_partition(num_samples, num_temperatures, seed=run.seed)
    metrics = {
        split: training.annealed_likelihood(free_energies[split], log_z, "nll_lower_bound")
        for split in ("validation", "test")
    }
    gap = free_energies["validation"].mean() - free_energies["train"].mean()
    metrics["validation"]["free_energy_gap"] = float(gap)
    metrics["test"].update(evaluation.baselines(splits))
    if probe_strengths:
        codes = [(evaluation.codes(model, x[split]), labelled.labels(split)) for split in x]
        (probe,) = evaluation.linear_probe(*codes, strengths=probe_strengths, seed=run.seed)
        metrics["test"]["accuracy_linear_probe"] = probe.accuracy
        metrics["test"]["accuracy_linear_probe_standard_error"] = probe.standard_error
    return run.finish(
        model,
        splits,
        metrics,
        protocol=f"Likelihood by annealed importance sampling with {num_samples} chains and {num_temperatures:,} "
        "temperatures, which tends to flatter it, with three standard errors of Z to either side; the last epoch.",
    )


if __name__ == "__main__":
    main.cli()
