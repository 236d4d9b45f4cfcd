"""GAN-INT-CLS (Reed et al., 2016, https://arxiv.org/abs/1605.05396).

python -m recipes.adversarial.text_to_image_gan                   MNIST at random sizes and places, with captions
python -m recipes.adversarial.text_to_image_gan --preset paper    birds of 64×64 pixels; not run here
python -m recipes.adversarial.text_to_image_gan --dataset my_photos/ --captions captions.jsonl --image-size 64

birds/ is the folder of the images of CUB-200, with captions.jsonl, which has ten captions for each image. The preset
has the paper's losses, networks, rates and epochs, and learns the codes of captions together with those of the images
in five epochs.

Captions state what is measured of a digit: "a thin seven leaning left at the top". No training image shows a thick
three, a small seven or a zero that leans to the left; these are requested at the end.

Measured on two cores, the first command, one seed, 22 minutes alongside other trainings: the digit is recognised in
86.4 % of the images (real ones 98.7 %); thickness is on the requested side in 95.9 %, slant in 81.1 %, size in 93.1 %,
place in all. For combinations that no training image has: digit 82.0 %, thickness 70.7 %, slant 82.9 %, size 74.2 %,
place all.
"""

from typing import Literal

from keras_gen import training


@training.recipe(
    paper=dict(
        dataset="birds/",
        captions="captions.jsonl",
        image_size=64,
        filters=(64, 128, 256, 512),
        epochs=600,
        batch_size=64,
        learning_rate=2e-4,
        beta_1=0.5,
        beta_2=0.999,
        latent_size=100,
        code_size=1024,
        text_units=128,
        interpolation_weight=1.0,
        objective="non_saturating",
        batch_norm=True,
        spectral_norm=False,
        generator_average=0.0,
        joint_epochs=5,
    ),
)
def main(
    run: "training.Run",
    *,
    data: training.CaptionedImages = training.CaptionedImages("mnist"),
    schedule: training.FixedSchedule = training.FixedSchedule(epochs=10, batch_size=64, learning_rate=5e-4),
    joint_epochs: int = 2,
    filters: tuple[int, ...] = (16, 32, 64),
    latent_size: int = 32,
    code_size: int = 64,
    text_units: int = 64,
    interpolation_weight: float = 0.25,
    objective: Literal["hinge", "non_saturating"] = "hinge",
    batch_norm: bool = False,
    spectral_norm: bool = True,
    beta_1: float = 0.0,
    beta_2: float = 0.9,
    generator_average: float = 0.999,
    num_samples: int = 5000,
) -> dict:
    """Trains codes of captions, then the GAN, and measures whether its images match their captions.

    Args:
        joint_epochs: passes over the training data in the first stage, which learns codes of images and captions.
        filters: channels of the discriminator's strided layers, from the image inwards; the generator has them in
            reverse.
        latent_size: length of the noise.
        code_size: length of the code of a caption.
        text_units: number of units that each player compresses a code to.
        interpolation_weight: weight, in the generator's loss, of codes interpolated between two captions.
        objective: losses of the players.
        batch_norm: whether the discriminator has batch normalization.
        spectral_norm: whether the discriminator has spectral normalization.
        beta_1: momentum of Adam.
        beta_2: decay rate of Adam's average of squared gradients.
        generator_average: momentum of the moving average of the generator's weights, unless ema names one; 0 for none.
        num_samples: number of captions of test images to draw an image for.
    """
    import keras

    from keras_gen import adversarial, networks

    splits = data.load(batch_size=schedule.batch_size, seed=run.seed)
    words = networks.vocabulary(splits.array("train", "condition"))

    joint = training.joint_embedding(run, splits, words, code_size=code_size, epochs=joint_epochs)
    with run.scope():
        model = adversarial.TextToImageGAN(
            splits.event_shape,
            splits.levels,
            words=words,
            num_classes=splits.spaces["label"].num_classes if "label" in splits.spaces else None,
            code_size=code_size,
            text_units=text_units,
            latent_size=latent_size,
            filters=filters,
            interpolation_weight=interpolation_weight,
            objective=objective,
            discriminator_batch_norm=batch_norm,
            spectral_norm=spectral_norm,
            generator_average=run.options.ema or generator_average,
            seed=run.seed,
        )
        model.take_text_encoder(joint)
        rate = schedule.rate(splits.steps_per_epoch)
        run.compile(model, *(keras.optimizers.Adam(rate, beta_1, beta_2) for _ in range(2)), xla=False)
    model = run.fit(model, splits, epochs=schedule.epochs)

    def draw(captions, seed):
        return model.sample(len(captions), condition=captions, seed=seed)

    metrics = {
        split: model.evaluate(getattr(splits, split), verbose=0, return_dict=True) for split in ("validation", "test")
    }
    for split in metrics:
        found = joint.evaluate(getattr(splits.without_labels(), split), verbose=0, return_dict=True)
        metrics[split]["caption found in its batch"] = found["accuracy"]
    # Captions written by somebody else state nothing that could be measured.
    for split in (split for split in ("validation", "test", "zero_shot") if split in splits.sources and splits.limits):
        figures = training.judged_captions(draw, splits, split, num_samples=num_samples, seed=run.seed)
        metrics.setdefault(split, {}).update(figures)
    if run.is_chief:
        run.save_picture("sentences.png", training.sentences_picture(draw, splits, seed=run.seed))
    return run.finish(
        model,
        splits,
        metrics,
        protocol="An image drawn for each of the first captions of held-out images: the share in which the classifier "
        "that comes with the package recognises the digit, also of the real images, and of those whose measured "
        "properties are on the asked side; and how far they are from the real images, by that classifier's features. "
        "'zero_shot' has captions of combinations that no training image has.",
    )


if __name__ == "__main__":
    main.cli()
