"""Explicit models with latent variables, trained by a bound on their likelihood."""

from keras_gen.latent.adversarial_autoencoder import AdversarialAutoencoder as AdversarialAutoencoder
from keras_gen.latent.autoencoder import Autoencoder as Autoencoder
from keras_gen.latent.autoencoder import DenoisingAutoencoder as DenoisingAutoencoder
from keras_gen.latent.conditional_vae import ConditionalVAE as ConditionalVAE
from keras_gen.latent.hierarchical_vae import HierarchicalVAE as HierarchicalVAE
from keras_gen.latent.iwae import IWAE as IWAE
from keras_gen.latent.probabilistic_pca import ProbabilisticPCA as ProbabilisticPCA
from keras_gen.latent.semi_supervised_aae import ClusteringAAE as ClusteringAAE
from keras_gen.latent.semi_supervised_aae import SemiSupervisedAAE as SemiSupervisedAAE
from keras_gen.latent.vae import VAE as VAE
from keras_gen.latent.vq_vae import VQVAE as VQVAE
