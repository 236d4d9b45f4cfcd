"""Networks that several families share."""

from keras_gen.networks.autoregressive import AutoregressiveNetwork as AutoregressiveNetwork
