"""Networks that several model families share."""

from keras_gen.networks.autoregressive import AutoregressiveNetwork as AutoregressiveNetwork
from keras_gen.networks.joint_embedding import JointEmbedding as JointEmbedding
from keras_gen.networks.keras_network import GivenLayers as GivenLayers
from keras_gen.networks.keras_network import KerasNetwork as KerasNetwork
from keras_gen.networks.keras_network import OwnNetwork as OwnNetwork
from keras_gen.networks.keras_network import argument_value as argument_value
from keras_gen.networks.keras_network import component_value as component_value
from keras_gen.networks.text import ReadsText as ReadsText
from keras_gen.networks.text import TextEncoder as TextEncoder
from keras_gen.networks.text import Tokenizer as Tokenizer
from keras_gen.networks.text import vocabulary as vocabulary
