"""Energy-based models: a function says how well an example fits, and its exponential is a density up to a constant."""

from keras_gen.energy.deep_ebm import DeepEBM as DeepEBM
from keras_gen.energy.deep_ebm import JointEBM as JointEBM
from keras_gen.energy.rbm import RBM as RBM
