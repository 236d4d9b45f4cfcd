"""Networks for translation: patch discriminators, and generators that turn an image into an image."""

from keras_gen.translation.networks.patch import PatchDiscriminator as PatchDiscriminator
from keras_gen.translation.networks.patch import own_patch_discriminator as own_patch_discriminator
from keras_gen.translation.networks.patch import receptive_fields as receptive_fields
from keras_gen.translation.networks.resnet import ResNet as ResNet
from keras_gen.translation.networks.unet import UNet as UNet
