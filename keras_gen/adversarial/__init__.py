"""Two players: a generator learns from a discriminator, which learns to tell its examples from the data."""

from keras_gen.adversarial.dcgan import DCGAN as DCGAN
