"""MultimodalDBM (Srivastava, Salakhutdinov, 2014, Multimodal Learning with Deep Boltzmann Machines, JMLR 15).

python -m recipes.energy.multimodal_dbm                       digits and their classes
python -m recipes.energy.multimodal_dbm --dataset mnist --hidden-units 500 500 --condition-units 100 --joint-units 500

Measured on two cores. Digits, 8 minutes alongside other work: classes drawn given a test image are wrong in 12.2 %,
those inferred by mean field in 21.7 %; for 9.4 % of the images drawn given a class, the nearest training image has
another class. In an earlier version, a training half as long at half the learning rate left 47.8, 15.6 and 33.3 %. The
paper's photographs and words are not available: images and classes take their place.
"""

from keras_gen import training


@training.recipe()
def main(
    run: "training.Run",
    *,
    data: training.Examples = training.Examples("digits", binarization="by_set"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=600, batch_size=50, learning_rate=0.02),
    num_classes: int = 10,
    hidden_units: tuple[int, ...] = (100,),
    condition_units: tuple[int, ...] = (50,),
    joint_units: int = 100,
    pretraining_epochs: int = 100,
    pretraining_rate: float = 0.02,
    num_chains: int = 100,
    chain_sweeps: int = 5,
    mean_field_steps: int = 10,
    num_sweeps: int = 1000,
) -> dict:
    """Pretrains and trains a machine of images and classes, and evaluates each given the other.

    Args:
        num_classes: number of classes.
        hidden_units: units of each hidden layer above the image.
        condition_units: units of each hidden layer above the class.
        joint_units: units of the layer on top of both.
        pretraining_epochs: passes over the data for each hidden layer alone.
        pretraining_rate: learning rate of the pretraining at the start; it falls to 0 along a cosine.
        num_chains: persistent chains.
        chain_sweeps: sweeps of each chain in a training step.
        mean_field_steps: number of mean-field steps.
        num_sweeps: sweeps of Gibbs sampling for each sample.
    """
    import keras
    import numpy as np

    from keras_gen import energy

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed, labels=True)
    labels = [splits.labels(split) for split in ("train", "validation", "test")]
    with run.scope():
        model = energy.MultimodalDBM(
            splits.event_shape,
            splits.levels,
            num_classes=num_classes,
            hidden_units=hidden_units,
            condition_units=condition_units,
            joint_units=joint_units,
            num_chains=num_chains,
            chain_sweeps=chain_sweeps,
            mean_field_steps=mean_field_steps,
            num_sweeps=num_sweeps,
            seed=run.seed,
        )

    training.pretrain_layers(run, model, splits, labels, epochs=pretraining_epochs, learning_rate=pretraining_rate)
    with run.scope():
        # A loop of sweeps is slower with XLA.
        run.compile(model, keras.optimizers.SGD(schedule.rate(splits.steps_per_epoch), momentum=0.5), xla=False)
    model = run.fit(model, splits, epochs=schedule.epochs)

    metrics, x_train = {}, splits.array("train")
    for split, label in zip(("validation", "test"), labels[1:], strict=True):
        x = splits.array(split)
        drawn = model.sample_condition(x, seed=run.seed).numpy()
        # Images drawn for a class are evaluated by the nearest image of the data, in differing bits.
        images = model.sample(len(label), condition=label, seed=run.seed).numpy().reshape(len(label), -1)
        data_rows = x_train.reshape(len(x_train), -1).astype(np.float32)
        distances = np.sum(images**2, axis=1)[:, np.newaxis] - 2.0 * images @ data_rows.T + np.sum(data_rows**2, axis=1)
        metrics[split] = {
            "error": float(np.mean(np.argmax(model.infer_condition(x), axis=-1) != label)),
            "error_of_draws": float(np.mean(drawn != label)),
            "images_nearest_to_another_class": float(np.mean(labels[0][np.argmin(distances, axis=1)] != label)),
        }
    return run.finish(
        model,
        splits,
        metrics,
        protocol="Share of images whose class is not inferred by mean field, or not drawn by Gibbs sampling; share of "
        "images, drawn given a class, whose nearest training image has another one; the last epoch.",
    )


if __name__ == "__main__":
    main.cli()
