"""StarGAN: contracts, its losses by hand, the domains it draws, and that the planes of a domain reach the output."""

import keras
import numpy as np
import pytest
import tensorflow as tf
from contracts import TranslationContract, randomise

from keras_gen import seeds
from keras_gen.core import Step
from keras_gen.spaces import ClassOrAttributes
from keras_gen.translation import StarGAN
from keras_gen.translation.networks import ResNet

SHAPE, LEVELS = (8, 8, 1), 9


def make(*domains, **options):
    return randomise(StarGAN(SHAPE, *domains, levels=LEVELS, **{"filters": 2, "num_blocks": 1, **options}))


def batch_of(model, num=4):
    return {name: space.examples(num) for name, space in model.spaces.items()}


class TestContract(TranslationContract):
    """Every argument away from its default: labels of two sets."""

    passes = 3

    def make_data(self):
        x = np.random.default_rng(0).integers(0, LEVELS, (32, 16, 16, 1)).astype(np.float32)
        return {"x": x, "condition": ClassOrAttributes(3, 2).examples(32).numpy()}

    def make_model(self, **changes):
        options = {
            "levels": LEVELS,
            "filters": 2,
            "num_blocks": 1,
            "num_layers": 2,
            "class_weight": 0.5,
            "reconstruction_weight": 2.0,
            "penalty_weight": 3.0,
            "discriminator_steps": 2,
            "seed": 4,
            "name": "star",
        }
        return StarGAN((16, 16, 1), 3, 2, **{**options, **changes})


def cross_entropy(logits, label):
    return np.log(np.exp(logits).sum(axis=-1)) - np.take_along_axis(logits, label[:, np.newaxis], axis=-1)[:, 0]


def sum_over_attributes(logits, attributes):
    return (np.log1p(np.exp(logits)) - attributes * logits).sum(axis=-1)


def class_loss_by_hand(model, logits, domain):
    if model.num_attributes is None:
        return cross_entropy(logits, domain)
    if model.num_domains is None:
        return sum_over_attributes(logits, domain)
    split = model.num_domains
    of_class = cross_entropy(logits[:, :split], np.maximum(domain[:, 0], 0))
    return np.where(domain[:, 0] >= 0, of_class, sum_over_attributes(logits[:, split:], domain[:, 1:]))


@pytest.mark.parametrize("side", [4, 8, 20, 28, 32, 64, 128])
def test_the_critic_of_images_up_to_the_papers_size_has_two_patches_on_a_side(side):
    """With more of them, a mean of scores whose sum has slope one would weigh less beside the other losses."""
    model = StarGAN((side, side, 1), 2, filters=1, num_blocks=1)
    scores, logits = model.discriminator(tf.zeros((1, side, side, 1)))
    assert scores.shape == (1, 2, 2)
    assert logits.shape == (1, 2)


@pytest.mark.parametrize("domains", [(3, None), (None, 2), (3, 2)], ids=["classes", "attributes", "both"])
def test_losses_are_those_of_the_paper(domains):
    """Attributes add up, D's class is that of real images, and only what is known counts."""
    model = make(*domains)
    batch, step = batch_of(model), Step(seeds.as_pair(5), training=True)
    terms = model.loss_terms(batch, step)
    fakes = model.fakes(batch, step)
    x, own, wanted = batch["x"].numpy() / 4.0 - 1.0, batch["condition"].numpy(), fakes["domain"].numpy()
    np.testing.assert_allclose(fakes["x"], model.generate(x, wanted), atol=1e-6)
    (real_scores, real_logits), (fake_scores, fake_logits) = (
        (scores.numpy().mean(axis=(1, 2)), logits.numpy())
        for scores, logits in (model.discriminator(x), model.discriminator(fakes["x"]))
    )
    again = model.generate(fakes["x"], own)
    by_hand = {
        "real_class_loss": class_loss_by_hand(model, real_logits, own),
        "fake_class_loss": class_loss_by_hand(model, fake_logits, wanted),
        "reconstruction": np.abs(x - again).mean(axis=(1, 2, 3)),
        "penalty": terms["penalty"].numpy(),
    }
    by_hand["discriminator_loss"] = fake_scores - real_scores + by_hand["penalty"] + by_hand["real_class_loss"]
    by_hand["generator_loss"] = -fake_scores + by_hand["fake_class_loss"] + 10.0 * by_hand["reconstruction"]
    by_hand["loss"] = by_hand["discriminator_loss"] + by_hand["generator_loss"]
    assert set(terms) == set(by_hand) == set(model.terms)
    for name, value in by_hand.items():
        np.testing.assert_allclose(terms[name], value, rtol=1e-4, atol=1e-5, err_msg=name)


def test_the_penalty_is_ten_times_that_of_a_critic_with_a_known_gradient():
    """Two patches that score a quarter of the sum of 64 pixels: their sum has a gradient of length 4 everywhere."""
    model = make(2)
    model.discriminator.call = lambda images: (
        0.25 * tf.reduce_sum(images, axis=(1, 2, 3))[:, tf.newaxis, tf.newaxis] * tf.ones((1, 1, 2)),
        tf.zeros((len(images), 2)),
    )
    terms = model.loss_terms(batch_of(model), Step(seeds.as_pair(0), training=True))
    np.testing.assert_allclose(terms["penalty"], np.full(4, 10.0 * (4.0 - 1.0) ** 2), rtol=1e-4)


def test_domains_are_those_of_the_batch_in_another_order():
    model = make(3, 2)
    domain = tf.concat([ClassOrAttributes(3, 2).examples(40), [[2, 0, 0]] * 3], axis=0).numpy()
    drawn = [model.other_domains(tf.constant(domain), Step(seeds.as_pair(n), training=True)).numpy() for n in (0, 0, 1)]
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert np.any(drawn[0] != drawn[2])
    for each in drawn:
        # Images of either set stay with its labels, and each label is given once.
        np.testing.assert_array_equal(each[:, 0] < 0, domain[:, 0] < 0)
        np.testing.assert_array_equal(np.sort(each.view("i4,i4,i4"), axis=0), np.sort(domain.view("i4,i4,i4"), axis=0))


def test_vectors_hold_a_mask_of_what_is_known():
    """Section 3.3: one-hot class, attributes, and the mask vector; zeros for what is not known."""
    vectors = ClassOrAttributes(3, 2).vectors(tf.constant([[1, 0, 0], [-1, 0, 1]]))
    np.testing.assert_array_equal(vectors, [[0, 1, 0, 0, 0, 1, 0], [0, 0, 0, 0, 1, 0, 1]])
    space = ClassOrAttributes(3, 2)
    for wrong in ([3, 0, 0], [-2, 0, 0], [1, 1, 0], [-1, 2, 0]):
        assert not np.all(space.contains(tf.constant([wrong])))
    assert np.all(space.contains(space.examples(20)))


def test_planes_reach_the_output_by_zero_padding_alone():
    """What is the same everywhere, instance normalization takes away: reflected, a plane is the same everywhere."""
    x = tf.random.stateless_normal((1, 8, 8, 1), (0, 1))
    made = {}
    for padding in ("zeros", "reflect"):
        net = ResNet((8, 8, 3), 1, filters=2, num_blocks=1, padding=padding, resampling_size=4, seed=(0,))
        planes = [tf.ones((1, 8, 8, 1)) * tf.constant(vector) for vector in ([1.0, 0.0], [0.0, 1.0])]
        first, second = (net(tf.concat([x, plane], axis=-1)) for plane in planes)
        made[padding] = np.abs(first - second).max() / np.abs(first).max()
    assert made["zeros"] > 0.01
    assert made["reflect"] < 1e-3


def test_networks_of_the_paper():
    """Tables 4 and 5 of its appendix, for 128×128 pixels and five domains; here with 1 channel instead of 64."""
    model = StarGAN((128, 128, 3), 5, filters=1)
    net, critic = model.generator, model.discriminator
    assert net.first.kernel.shape == (7, 7, 8, 1)
    assert [layer.kernel_size for layer in (*net.halving, *net.doubling)] == [(4, 4)] * 4
    assert [layer.filters for layer in (*net.halving, *net.doubling)] == [2, 4, 2, 1]
    assert len(net.blocks) == 6
    assert [layer.filters for layer in critic.layers] == [1, 2, 4, 8, 16, 32]
    scores, logits = critic(tf.zeros((1, 128, 128, 3)))
    assert (scores.shape, logits.shape) == ((1, 2, 2), (1, 5))
    assert critic.domain.kernel_size == (2, 2)
    optimizer = model.default_optimizers()["generator"]
    assert (float(optimizer.learning_rate), optimizer.beta_1) == (pytest.approx(1e-4), 0.5)


def test_the_discriminator_takes_five_steps_for_one_of_the_generator():
    model = make(3)
    model.compile(keras.optimizers.SGD(0.0), keras.optimizers.SGD(0.0), run_eagerly=True)
    model.train_on_batch(batch_of(model))
    assert [int(optimizer.iterations) for optimizer in model.optimizers] == [1, 5]


def test_translations_by_predict_and_in_pictures():
    model = make(None, 2)
    batch = batch_of(model)
    x, domain = batch["x"], batch["condition"]
    np.testing.assert_array_equal(model.predict((x, domain), verbose=0), model.translate(x, domain=domain))
    rows = model.preview(batch, seed=0)
    assert list(rows) == ["input", "output", "output 2", "again"]
    changed = np.abs(domain - [[0, 1]])
    np.testing.assert_array_equal(rows["output 2"][1], model.translate(x, domain=changed))
    np.testing.assert_array_equal(rows["again"][1], model.translate(rows["output 2"][1], domain=domain))
    with pytest.raises(ValueError, match="`domain` must hold one entry per image, 4; received 3"):
        model.translate(x, domain=domain[:3])


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({}, "`num_domains` must be given where `num_attributes` is None"),
        ({"num_domains": 0}, "`num_domains` must be at least 1, received 0"),
        ({"event_shape": (8, 6, 1), "num_domains": 2}, r"`event_shape` must have sides that are multiples of 4"),
    ],
)
def test_wrong_arguments(arguments, sentence):
    with pytest.raises(ValueError, match=sentence):
        StarGAN(**{"event_shape": SHAPE, **arguments})
