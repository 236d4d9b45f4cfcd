"""Classical mixtures: each example comes from one of several components, or from the vicinity of many points."""

from keras_gen.mixtures.bernoulli_mixture import BernoulliMixture as BernoulliMixture
from keras_gen.mixtures.categorical_mixture import CategoricalMixture as CategoricalMixture
from keras_gen.mixtures.gaussian_mixture import GaussianMixture as GaussianMixture
from keras_gen.mixtures.parzen_window import ParzenWindow as ParzenWindow
