"""Tests of the mixture of Gaussians against scikit-learn, scipy and enumerations of patterns of missing entries."""

import itertools

import numpy as np
import pytest
import tensorflow as tf
import tensorflow_probability as tfp
from contracts import ContinuousDensityContract, ModelContract, assert_same_weights, chi_square
from scipy import stats
from sklearn.mixture import GaussianMixture as PeerMixture

from keras_gen.latent import VAE, AdversarialAutoencoder
from keras_gen.mixtures import GaussianMixture

tfd = tfp.distributions
PRIOR = {"name": "model", "model": "mixtures.GaussianMixture", "arguments": {"num_components": 2}}
FORMS = {"full": "full", "tied": "tied", "diagonal": "diag", "spherical": "spherical"}


def clusters(num, size, seed=0):
    """Rows from three Gaussians."""
    random, shapes = np.random.default_rng(seed), np.random.default_rng(1)
    centres, mixing = 2.0 * shapes.normal(size=(3, size)), shapes.normal(size=(3, size, size)) / size**0.5
    labels = random.integers(0, 3, num)
    x = centres[labels] + np.einsum("nij,nj->ni", mixing[labels], random.normal(size=(num, size)))
    return (x + 0.2 * random.normal(size=(num, size))).astype(np.float32)


def with_holes(x, share, seed=0):
    """The same rows, some entries missing; the first row has none left."""
    x = np.where(np.random.default_rng(seed).random(x.shape) < share, np.nan, x).astype(np.float32)
    x[0] = np.nan
    return x


def parameters(size, num_components=3, seed=0):
    """Parameters that `fit` might have left."""
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(num_components, size, size))
    covariances = mixing @ np.swapaxes(mixing, 1, 2) / size + 0.3 * np.eye(size)
    return random.dirichlet(np.full(num_components, 5.0)), random.normal(size=(num_components, size)), covariances


def made(size, covariance="full", num_components=3, **arguments):
    """A model of such parameters."""
    model = GaussianMixture((size,), num_components, covariance, **arguments)
    model.set_parameters(*parameters(size, num_components))
    model.compile()
    return model


class TestContracts(ModelContract, ContinuousDensityContract):
    """With stepwise EM; the discrete mixtures' contracts are about EM, and the tests below about all covariances."""

    def make_model(self, **changes):
        arguments = {
            "event_shape": (2, 2),
            "num_components": 3,
            "covariance": "tied",
            "min_scale": 0.01,
            "num_starts": 2,
            "online_decay": 0.8,
            "seed": 5,
            "name": "mixture",
        }
        model = GaussianMixture(**{**arguments, **changes})
        model.set_parameters(*parameters(4))
        return model

    def make_data(self):
        return with_holes(clusters(40, 4), 0.2).reshape(40, 2, 2)

    def compile(self, model, **arguments):
        model.compile(**arguments)
        return model

    def optimizers(self, model):
        return []

    def make_plane(self):
        return made(2)


def test_mean_samples_are_the_means_of_the_components_that_draws_are_of():
    model = made(2, "spherical", name="mixture")
    model.standardization.absorb(np.array([3.0, -1.0]), np.array([10.0, 0.1]))
    drawn, means = (model.sample(50, seed=4, mean=mean).numpy() for mean in (False, True))
    component = model.drawn_components(model.noise(50, 4)).numpy()
    assert set(component) == {0, 1, 2}
    np.testing.assert_array_equal(means, model.means.numpy()[component])
    scales = np.sqrt(np.einsum("kii->ki", model.covariances.numpy()))[component]
    assert 0.7 < np.std((drawn - means) / scales) < 1.3


@pytest.mark.parametrize("covariance", FORMS)
def test_em_is_that_of_scikit_learn(covariance):
    data = clusters(500, 4)
    model = made(4, covariance, min_scale=1e-4)
    matrices = np.linalg.inv(model.covariances.numpy().astype(np.float64))
    precisions = {
        "full": matrices,
        "tied": matrices[0],
        "diagonal": np.einsum("kii->ki", matrices),
        "spherical": matrices[:, 0, 0],
    }[covariance]
    proportions, means, _ = parameters(4)
    peer = PeerMixture(
        3,
        covariance_type=FORMS[covariance],
        weights_init=proportions,
        means_init=means,
        precisions_init=precisions,
        max_iter=6,
        tol=0.0,
        reg_covar=0.0,
    )
    with pytest.warns(UserWarning, match="did not converge"):
        peer.fit(data.astype(np.float64))
    model.fit(data, batch_size=300, epochs=6, verbose=0)
    np.testing.assert_allclose(model.means, peer.means_, atol=1e-5)
    np.testing.assert_allclose(model.proportions, peer.weights_, atol=1e-5)
    scores = peer.score_samples(data.astype(np.float64))
    np.testing.assert_allclose(model.log_prob(data), scores, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.responsibilities(data), peer.predict_proba(data), atol=1e-4)
    assert model.num_free_parameters == peer._n_parameters()
    np.testing.assert_allclose([model.aic(data), model.bic(data)], [peer.aic(data), peer.bic(data)], rtol=1e-5)


@pytest.mark.parametrize(
    ("covariance", "share"), [("full", 0.0), ("full", 0.3), ("tied", 0.3), ("diagonal", 0.3), ("spherical", 0.0)]
)
def test_em_never_lowers_the_likelihood(covariance, share):
    data = clusters(300, 4) if not share else with_holes(clusters(300, 4), share)
    model = GaussianMixture((4,), 4, covariance, num_starts=1, min_scale=0.3)
    model.compile()
    losses = model.fit(data, validation_data=(data,), batch_size=300, epochs=10, verbose=0).history["val_loss"]
    assert np.all(np.diff(losses) < 1e-6)
    assert losses[-1] < losses[0] - 1e-3
    assert np.linalg.eigvalsh(model.covariances).min() > 0.3**2 * (1.0 - 1e-4)


def em_by_patterns(x, weights, proportions, means, covariances, form):
    """One iteration of EM in float64, row by row, with the conditional Gaussian of each pattern."""
    num, size = x.shape
    joint = np.zeros((num, len(means)))
    filled, spread = np.zeros((num, len(means), size)), np.zeros((num, len(means), size, size))
    for (row, there), k in itertools.product(enumerate(~np.isnan(x)), range(len(means))):
        filled[row, k], known, lost = x[row], np.flatnonzero(there), np.flatnonzero(~there)
        joint[row, k] = np.log(proportions[k])
        known_covariance = covariances[k][np.ix_(known, known)]
        if len(known):
            joint[row, k] += stats.multivariate_normal(means[k][known], known_covariance).logpdf(x[row, known])
        gain = covariances[k][np.ix_(lost, known)] @ np.linalg.inv(known_covariance)
        filled[row, k, lost] = means[k][lost] + gain @ (x[row, known] - means[k][known])
        spread[row, k][np.ix_(lost, lost)] = (
            covariances[k][np.ix_(lost, lost)] - gain @ covariances[k][np.ix_(known, lost)]
        )
    log_prob = np.logaddexp.reduce(joint, axis=1)
    shares = np.exp(joint - log_prob[:, np.newaxis]) * weights[:, np.newaxis]
    counts = shares.sum(axis=0)
    means = np.einsum("nk,nki->ki", shares, filled) / counts[:, np.newaxis]
    deviations = filled - means
    covariances = np.einsum("nk,nki,nkj->kij", shares, deviations, deviations) + np.einsum(
        "nk,nkij->kij", shares, spread
    )
    covariances /= counts[:, np.newaxis, np.newaxis]
    proportions = counts / counts.sum()
    if form == "tied":
        covariances = np.broadcast_to(np.einsum("k,kij->ij", proportions, covariances), covariances.shape)
    if form in ("diagonal", "spherical"):
        variances = np.einsum("kii->ki", covariances)
        variances = variances if form == "diagonal" else np.repeat(variances.mean(1, keepdims=True), x.shape[1], 1)
        covariances = variances[..., np.newaxis] * np.eye(x.shape[1])
    return log_prob, proportions, means, covariances


@pytest.mark.parametrize("covariance", FORMS)
def test_em_with_missing_entries_and_weights_is_that_of_all_patterns(covariance):
    data = with_holes(clusters(120, 4), 0.35)
    assert len({tuple(row) for row in np.isnan(data)}) > 12
    weights = np.random.default_rng(3).uniform(0.0, 2.0, 120).astype(np.float32)
    model = made(4, covariance, min_scale=1e-4)
    truth = model.proportions.numpy(), model.means.numpy().astype(np.float64), model.covariances.numpy()
    for _ in range(3):
        log_prob, *after = em_by_patterns(data.astype(np.float64), weights, *truth, covariance)
        np.testing.assert_allclose(model.log_prob(data), log_prob, rtol=1e-4, atol=2e-5)
        model.fit(data, sample_weight=weights, batch_size=70, verbose=0)
        truth = after
        for found, expected in zip((model.proportions, model.means, model.covariances), truth, strict=True):
            np.testing.assert_allclose(found, expected, rtol=1e-4, atol=2e-5)


@pytest.mark.parametrize("covariance", ["full", "diagonal"])
def test_weight_two_is_the_row_twice(covariance):
    data = with_holes(clusters(60, 4), 0.1)
    weights = np.random.default_rng(2).integers(0, 4, 60)
    weighted, repeated = made(4, covariance), made(4, covariance)
    weighted.fit(data, sample_weight=weights.astype(np.float32), batch_size=32, epochs=2, verbose=0)
    repeated.fit(np.repeat(data, weights, axis=0), batch_size=32, epochs=2, verbose=0)
    np.testing.assert_allclose(weighted.log_prob(data), repeated.log_prob(data), rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(weighted.means, repeated.means, rtol=1e-5, atol=1e-5)


def test_densities_are_those_of_tensorflow_probability():
    model, data = made(4), clusters(50, 4)
    proportions, means, covariances = (each.astype(np.float32) for each in parameters(4))
    components = tfd.MultivariateNormalTriL(means, tf.linalg.cholesky(covariances))
    truth = tfd.MixtureSameFamily(tfd.Categorical(probs=proportions), components)
    np.testing.assert_allclose(model.log_prob(data), truth.log_prob(data), rtol=1e-4, atol=1e-5)
    # An entry that is there hardly ever costs the others' density nothing.
    holes = with_holes(data, 0.3)
    assert model.log_prob(holes[:1]).numpy() == pytest.approx(0.0, abs=1e-5)
    np.testing.assert_allclose(model.log_prob(np.concatenate([holes, data]))[50:], model.log_prob(data), rtol=1e-4)


@pytest.mark.parametrize("covariance", FORMS)
def test_imputation_follows_the_exact_conditional(covariance):
    model, num = made(3, covariance), 20_000
    row = np.array([0.7, np.nan, -0.4], np.float32)
    drawn = model.impute(np.tile(row, (num, 1)), seed=1).numpy()
    np.testing.assert_array_equal(drawn[:, [0, 2]], np.tile(row[[0, 2]], (num, 1)))
    # The density along the line, normalised by a sum.
    edges = np.linspace(drawn[:, 1].min() - 1.0, drawn[:, 1].max() + 1.0, 41)
    fine = np.linspace(edges[0], edges[-1], 40 * 50 + 1)
    line = np.stack([np.full(2000, row[0]), (fine[1:] + fine[:-1]) / 2.0, np.full(2000, row[2])], axis=1)
    masses = np.exp(model.log_prob(line).numpy().astype(np.float64)).reshape(40, 50).sum(axis=1)
    counts, _ = np.histogram(drawn[:, 1], edges)
    assert chi_square(counts, masses / masses.sum() * num) > 1e-4
    np.testing.assert_allclose(np.exp(model.log_prob(row[np.newaxis])), masses.sum() * (fine[1] - fine[0]), rtol=1e-3)


def test_imputation_of_two_entries_has_their_conditional_covariance():
    model, num = made(4, num_components=1), 20_000
    _, means, covariances = parameters(4, 1)
    row = np.array([0.5, 9.0, -1.0, 9.0], np.float32)
    drawn = model.impute(np.tile(row, (num, 1)), [0, 1, 0, 1], seed=0).numpy()[:, [1, 3]]
    gain = covariances[0][np.ix_([1, 3], [0, 2])] @ np.linalg.inv(covariances[0][np.ix_([0, 2], [0, 2])])
    mean = means[0, [1, 3]] + gain @ (row[[0, 2]] - means[0, [0, 2]])
    covariance = covariances[0][np.ix_([1, 3], [1, 3])] - gain @ covariances[0][np.ix_([0, 2], [1, 3])]
    np.testing.assert_allclose(drawn.mean(axis=0), mean, atol=5.0 * (covariance.max() / num) ** 0.5)
    np.testing.assert_allclose(np.cov(drawn.T), covariance, atol=8.0 * covariance.max() / num**0.5)


def test_rows_far_from_the_origin_keep_their_covariance():
    """Their squares leave float32 no digit for it."""
    data = (1e4 + clusters(600, 3)).astype(np.float32)
    model = GaussianMixture((3,), 1)
    model.compile()
    model.fit(data, batch_size=64, epochs=2, verbose=0)
    np.testing.assert_allclose(model.covariances[0], np.cov(data.T.astype(np.float64), bias=True), rtol=1e-3, atol=1e-3)


def test_entries_that_depend_on_each_other_keep_a_least_scale():
    x = clusters(200, 2)
    data = np.concatenate([x, x[:, :1] - x[:, 1:]], axis=1)
    model = GaussianMixture((3,), 3, min_scale=0.05)
    model.compile()
    history = model.fit(data, batch_size=200, epochs=10, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    np.testing.assert_allclose(np.linalg.eigvalsh(model.covariances)[:, 0], 0.05**2, rtol=1e-3)


@pytest.mark.filterwarnings("ignore:Your input ran out of data")
def test_the_start_depends_on_the_data_and_the_seed_and_not_on_their_form():
    data = clusters(90, 2)
    batches = [data[:40], data[40:80], data[80:]]
    dataset = tf.data.Dataset.from_generator(lambda: iter(batches), output_signature=tf.TensorSpec((None, 2)))
    forms = {
        "array": (data, {"batch_size": 40}),
        "data set": (dataset, {}),
        "endless data set": (dataset.repeat(), {"steps_per_epoch": 3}),
        "generator": (iter(batches), {"steps_per_epoch": 3}),
    }
    found = {}
    for name, (x, arguments) in forms.items():
        model = GaussianMixture((2,), 3, seed=4)
        model.compile()
        model.fit(x, **{"epochs": 1, "verbose": 0, "shuffle": False, **arguments})
        found[name] = model.means.numpy()
        np.testing.assert_allclose(found[name], found["array"], rtol=1e-4, atol=1e-4, err_msg=name)
    # The three clusters are found: no component is empty, and none has the rows of two.
    assert model.proportions.numpy().min() > 0.2
    model = GaussianMixture((2,), 3)
    model.compile()
    with pytest.raises(ValueError, match="`steps_per_epoch` must be given for a data set that never ends"):
        model.fit(dataset.repeat(), verbose=0)


def test_more_starts_are_never_worse_on_the_sample_and_a_second_fit_goes_on():
    data = clusters(400, 2, seed=3)
    losses = []
    for num_starts in (1, 4):
        model = GaussianMixture((2,), 6, num_starts=num_starts, seed=1)
        model.compile()
        losses.append(model.fit(data, batch_size=400, epochs=12, verbose=0).history["loss"][-1])
    assert losses[1] <= losses[0] + 0.02
    before = model.log_prob(data).numpy().mean()
    assert -model.fit(data, batch_size=400, verbose=0).history["loss"][0] == pytest.approx(before, abs=1e-4)


def test_a_sample_of_many_rows_is_enough_for_a_start():
    model = GaussianMixture((2,), 3)
    model.num_start_rows = 50
    model.compile()
    model.fit(clusters(1000, 2), batch_size=400, epochs=6, verbose=0)
    full = GaussianMixture((2,), 3)
    full.compile()
    full.fit(clusters(1000, 2), batch_size=1000, epochs=6, verbose=0)
    x = clusters(1000, 2, seed=9)
    np.testing.assert_allclose(model.log_prob(x).numpy().mean(), full.log_prob(x).numpy().mean(), atol=0.05)


def test_a_step_of_stepwise_em_mixes_the_statistics_before_it_with_those_of_the_batch():
    data = with_holes(clusters(300, 3), 0.1)
    online, batch = made(3, online_decay=0.7), made(3)
    proportions, means, covariances = parameters(3)
    for model in (online, batch):
        model.fit(data, batch_size=300, verbose=0)
    size = 2.0**-0.7
    shares = (1.0 - size) * proportions, size * batch.proportions.numpy()
    both = (means, covariances), (batch.means.numpy(), batch.covariances.numpy())
    total = shares[0] + shares[1]
    first = sum(share[:, np.newaxis] * mean for share, (mean, _) in zip(shares, both, strict=True))
    second = sum(
        share[:, np.newaxis, np.newaxis] * (covariance + np.einsum("ki,kj->kij", mean, mean))
        for share, (mean, covariance) in zip(shares, both, strict=True)
    )
    mean = first / total[:, np.newaxis]
    np.testing.assert_allclose(online.proportions, total, rtol=1e-4)
    np.testing.assert_allclose(online.means, mean, rtol=1e-4, atol=1e-5)
    covariance = second / total[:, np.newaxis, np.newaxis] - np.einsum("ki,kj->kij", mean, mean)
    np.testing.assert_allclose(online.covariances, covariance, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("covariance", FORMS)
def test_a_fixed_point_of_em_is_one_of_stepwise_em(covariance):
    data, weights = with_holes(clusters(200, 3), 0.1), np.ones(200, np.float32)
    model = made(3, covariance, online_decay=0.7)
    for _ in range(100):
        _, totals = model.expected(data, weights)
        model.assign_solution(totals)
    before = model.proportions.numpy(), model.means.numpy(), model.covariances.numpy()
    # What is expected of a batch is a mean over its rows: that of all rows together is what batches come to on average.
    model.fit(data, batch_size=200, epochs=2, verbose=0)
    for value, expected in zip((model.proportions, model.means, model.covariances), before, strict=True):
        np.testing.assert_allclose(value, expected, atol=1e-3)


def test_stepwise_em_reaches_the_optimum_of_em():
    """From the same start, on data with one optimum: groups that are apart, and a start near them."""
    random = np.random.default_rng(0)
    centres = np.array([[-4.0, 0.0], [4.0, 1.0], [0.0, 5.0]])
    labels = random.integers(0, 3, 3000)
    data = (centres[labels] + random.normal(size=(3000, 2)) * [1.0, 0.5]).astype(np.float32)
    found = []
    for decay in (None, 0.7):
        model = GaussianMixture((2,), 3, online_decay=decay)
        model.set_parameters(
            np.full(3, 1.0 / 3.0), centres + np.array([1.5, -1.0]), np.tile(4.0 * np.eye(2), (3, 1, 1))
        )
        model.compile()
        batch_size, epochs = (3000, 12) if decay is None else (100, 3)
        model.fit(data, batch_size=batch_size, epochs=epochs, shuffle=False, verbose=0)
        found.append(model)
    # What a step of size γ on batches of b rows leaves is that of about 2 b / γ rows: here more than there are.
    batch, online = found
    assert abs(np.mean(batch.log_prob(data)) - np.mean(online.log_prob(data))) < 0.005
    np.testing.assert_allclose(online.means, batch.means, atol=0.1)
    np.testing.assert_allclose(online.proportions, batch.proportions, atol=0.03)


def test_a_start_counts_as_the_rows_that_it_looked_at():
    """Else the first steps would forget it."""
    data = clusters(400, 3)
    model = GaussianMixture((3,), 3, online_decay=1.0)
    model.compile()
    model.start_from(data, np.full(400, 2.0, np.float32))
    model.started.assign(1.0)
    before = model.proportions.numpy()
    model.fit(data[:20], sample_weight=np.full(20, 2.0), batch_size=20, shuffle=False, verbose=0)
    batch = GaussianMixture((3,), 3)
    batch.compile()
    batch.start_from(data, np.full(400, 2.0, np.float32))
    batch.started.assign(1.0)
    batch.fit(data[:20], batch_size=20, verbose=0)
    size = 1.0 / (2.0 + 400 / 20)
    np.testing.assert_allclose(model.proportions, (1.0 - size) * before + size * batch.proportions, rtol=1e-4)


@pytest.mark.parametrize(
    ("arguments", "error", "sentence"),
    [
        ({"covariance": "fully"}, ValueError, "`covariance` 'fully' is unknown; did you mean full"),
        ({"num_components": 0}, ValueError, "`num_components` must be at least 1, received 0"),
        ({"min_scale": 0.0}, ValueError, "`min_scale` must be greater than 0, received 0.0"),
        ({"online_decay": 0.5}, ValueError, "`online_decay` must be greater than 0.5 and at most 1, received 0.5"),
    ],
)
def test_wrong_arguments(arguments, error, sentence):
    with pytest.raises(error, match=sentence):
        GaussianMixture(**{"event_shape": (3,), **arguments})


def test_a_value_that_is_not_finite_is_refused_and_says_that_one_may_be_missing():
    with pytest.raises(ValueError, match="holds the value inf; expected finite real numbers, or NaN where one is miss"):
        made(2).log_prob([[np.inf, 0.0]])


def test_a_mixture_is_the_prior_of_a_vae_and_stays_as_it_is():
    model = VAE((4,), 2, levels=None, hidden_units=(8,), prior=PRIOR)
    mixture = model.prior_family.model
    mixture.compile()
    x = clusters(100, 4)
    mixture.fit(model.encode(x), epochs=3, verbose=0)
    before = mixture.get_weights()
    model.compile("sgd")
    history = model.fit(x, epochs=2, verbose=0).history["loss"]
    assert np.all(np.isfinite(history))
    assert_same_weights(mixture.weights, before)
    assert model.sample(3, seed=0).shape == (3, 4)


def test_a_mixture_is_the_prior_of_an_adversarial_autoencoder_and_stays_as_it_is():
    model = AdversarialAutoencoder((4,), 2, levels=2, hidden_units=(8,), discriminator_units=(8,), prior=PRIOR)
    mixture = model.prior_sampler.model
    mixture.set_parameters([0.5, 0.5], [[-20.0, 0.0], [20.0, 0.0]], np.tile(np.eye(2), (2, 1, 1)))
    before = mixture.get_weights()
    codes = model.prior_codes(model.noise(200, 0), None).numpy()
    # Draws of the mixture: about as many near either mean.
    assert np.all(np.abs(np.abs(codes[:, 0]) - 20.0) < 6.0)
    assert 60 < np.sum(codes[:, 0] > 0.0) < 140
    model.compile()
    model.fit((clusters(64, 4) > 0.0).astype(np.float32), verbose=0)
    assert_same_weights(mixture.weights, before)
