"""Two players: a generator learns from a discriminator, which learns to distinguish its examples from the data."""

from keras_gen.adversarial.conditional_gan import ConditionalGAN as ConditionalGAN
from keras_gen.adversarial.dcgan import DCGAN as DCGAN
from keras_gen.adversarial.gan import GAN as GAN
from keras_gen.adversarial.infogan import InfoGAN as InfoGAN
from keras_gen.adversarial.lsgan import LSGAN as LSGAN
from keras_gen.adversarial.progressive_gan import ProgressiveGAN as ProgressiveGAN
from keras_gen.adversarial.sngan import SNGAN as SNGAN
from keras_gen.adversarial.text_to_image_gan import TextToImageGAN as TextToImageGAN
from keras_gen.adversarial.wavegan import WaveGAN as WaveGAN
from keras_gen.adversarial.wgan import WGAN as WGAN
from keras_gen.adversarial.wgan_gp import WGANGP as WGANGP
