"""WaveNet (van den Oord et al., 2016, https://arxiv.org/abs/1609.03499).

python -m recipes.autoregressive.wavenet                       tones of eight pitches, each given its pitch
python -m recipes.autoregressive.wavenet --preset two_cores    spoken digits, each given its digit
python -m recipes.autoregressive.wavenet --preset paper        VCTK at 16 kHz, given the speaker; not run here
python -m recipes.autoregressive.wavenet --encoding linear     16-bit amplitudes by a mixture of logistic distributions

vctk/ is a folder of 16 kHz WAV files with one subfolder for each of the 109 speakers. Only the first half second of
each recording is used: more does not fit in memory. The paper gives neither its widths nor its learning rate; the
preset has those that its reimplementations share.

Measured, exact test likelihoods of 256 μ-law codes. Tones, 104 seconds of one core: 2.314 ± 0.006 nats per sample over
three seeds (a first-order Markov chain of the codes 4.45, uniform 5.55). Spoken digits, `--preset two_cores`, seven
epochs of 264,000 weights in 74 minutes alongside other work, of samples before the end of a recording: 2.84 ± 0.05 nats
per sample (first-order chain 3.82). With `--padding silence`, which counts the silence after the end as data, 20 % of
all samples, it was 2.29 ± 0.04 (first-order chain 3.13).
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="vctk/",
        audio_length=8000,
        num_classes=109,
        skip_filters=512,
        dilations=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512) * 5,
        epochs=3,
        batch_size=1,
        learning_rate=0.001,
    ),
    two_cores=dict(
        dataset="spoken_digit",
        audio_length=4096,
        num_classes=10,
        skip_filters=128,
        dilations=(1, 2, 4, 8, 16, 32, 64, 128, 256, 512) * 2,
        epochs=7,
        batch_size=4,
        learning_rate=0.004,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.Sounds = training.Sounds("tones", padding="missing"),
    schedule: training.Schedule = training.Schedule(epochs=12, batch_size=4, learning_rate=0.006, patience=10),
    encoding: Literal["mu_law", "linear"] = "mu_law",
    num_codes: int | None = None,
    num_components: int = 10,
    filters: int = 32,
    skip_filters: int = 64,
    dilations: tuple[int, ...] = (1, 2, 4, 8, 16, 32, 64, 128),
    num_classes: int | None = 8,
) -> dict:
    """Trains WaveNet and evaluates the exact likelihood of codes beside two baselines.

    Args:
        encoding: mu_law, with a categorical distribution, or linear, with a mixture of logistic distributions.
        num_codes: number of codes; 256 for mu_law and 65,536 for linear by default.
        num_components: logistic distributions in the mixture.
        filters: features of the gated layers.
        skip_filters: features of the sum over all layers and of the layers after it.
        dilations: number of samples between the taps of each gated layer.
        num_classes: number of classes to condition on; None for an unconditional model, as for recordings without
            labels.
    """
    import math

    import keras
    import numpy as np

    from keras_gen import autoregressive, evaluation

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=num_classes is not None)
    with run.scope():
        model = autoregressive.WaveNet(
            splits.event_shape,
            encoding=encoding,
            num_codes=num_codes,
            num_components=num_components,
            filters=filters,
            skip_filters=skip_filters,
            dilations=dilations,
            num_classes=num_classes,
            sample_rate=splits.sample_rate,
            seed=run.seed,
        )
        run.compile(model, keras.optimizers.Adam(schedule.rate(splits.steps_per_epoch)), xla=True)
    model = run.fit(model, splits, epochs=schedule.epochs, monitor="val_loss", patience=schedule.patience)

    metrics = {split: evaluation.likelihood(model, getattr(splits, split)) for split in ("validation", "test")}
    sounds = [splits.array(split) for split in ("train", "test")]
    codes = [np.where(np.isnan(x), np.nan, model.codes.encode(np.nan_to_num(x))) for x in sounds]
    number, length = model.codes.num_codes, np.mean(np.sum(~np.isnan(codes[1]), axis=1))
    metrics["test"]["samples_of_a_sound"] = length
    metrics["test"]["nats_per_sample"] = metrics["test"]["nll"] / length
    metrics["test"]["nats_per_sample_uniform"] = math.log(number)
    metrics["test"]["nats_per_sample_first_order"] = evaluation.markov_chain(*codes, number) / length
    return run.finish(
        model,
        splits,
        metrics,
        protocol=f"Exact likelihood of {number:,} {encoding} codes, up to the end of each recording; the epoch was "
        "chosen on validation data.",
    )


if __name__ == "__main__":
    main.cli()
