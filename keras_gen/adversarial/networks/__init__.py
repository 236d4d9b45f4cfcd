"""Networks of both players, by kind: dense, maxout, convolutional, residual, convolutional over sound, and custom.

A generator maps noise, and condition vectors if there are any, to examples before a tanh or a sigmoid. A discriminator
maps examples, whose levels are scaled to the range of that function, and condition vectors to one number. Any generator
can play against any discriminator.
"""

from keras_gen.adversarial.networks.convolutional import ConvolutionalDiscriminator as ConvolutionalDiscriminator
from keras_gen.adversarial.networks.convolutional import ConvolutionalGenerator as ConvolutionalGenerator
from keras_gen.adversarial.networks.dense import DenseDiscriminator as DenseDiscriminator
from keras_gen.adversarial.networks.dense import DenseGenerator as DenseGenerator
from keras_gen.adversarial.networks.maxout import MaxoutDiscriminator as MaxoutDiscriminator
from keras_gen.adversarial.networks.own import OwnDiscriminator as OwnDiscriminator
from keras_gen.adversarial.networks.own import OwnGenerator as OwnGenerator
from keras_gen.adversarial.networks.residual import ResidualDiscriminator as ResidualDiscriminator
from keras_gen.adversarial.networks.residual import ResidualGenerator as ResidualGenerator
from keras_gen.adversarial.networks.waveform import WaveformDiscriminator as WaveformDiscriminator
from keras_gen.adversarial.networks.waveform import WaveformGenerator as WaveformGenerator

#: The networks that can be chosen by name; "keras" is a custom one.
GENERATORS = {
    "dense": DenseGenerator,
    "convolutional": ConvolutionalGenerator,
    "residual": ResidualGenerator,
    "waveform": WaveformGenerator,
    "keras": OwnGenerator,
}
DISCRIMINATORS = {
    "dense": DenseDiscriminator,
    "maxout": MaxoutDiscriminator,
    "convolutional": ConvolutionalDiscriminator,
    "residual": ResidualDiscriminator,
    "waveform": WaveformDiscriminator,
    "keras": OwnDiscriminator,
}
