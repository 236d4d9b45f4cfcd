"""Networks of both players."""

from keras_gen.adversarial.networks.players import DISCRIMINATORS as DISCRIMINATORS
from keras_gen.adversarial.networks.players import GENERATORS as GENERATORS
