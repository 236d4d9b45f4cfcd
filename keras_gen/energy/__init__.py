"""Energy-based models: a function scores an example, and its exponential is a density up to a constant."""

from keras_gen.energy.dbm import DBM as DBM
from keras_gen.energy.deep_ebm import DeepEBM as DeepEBM
from keras_gen.energy.deep_ebm import JointEBM as JointEBM
from keras_gen.energy.multi_prediction_dbm import MultiPredictionDBM as MultiPredictionDBM
from keras_gen.energy.multimodal_dbm import MultimodalDBM as MultimodalDBM
from keras_gen.energy.rbm import RBM as RBM
