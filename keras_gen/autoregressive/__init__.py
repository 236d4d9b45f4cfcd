"""Explicit densities by the chain rule."""

from keras_gen.autoregressive.fvsbn import FVSBN as FVSBN
from keras_gen.autoregressive.gated_pixel_cnn import GatedPixelCNN as GatedPixelCNN
from keras_gen.autoregressive.image_gpt import TransformerAR as TransformerAR
from keras_gen.autoregressive.made import MADE as MADE
from keras_gen.autoregressive.markov import MarkovChain as MarkovChain
from keras_gen.autoregressive.nade import NADE as NADE
from keras_gen.autoregressive.orderless_nade import OrderlessNADE as OrderlessNADE
from keras_gen.autoregressive.pixel_cnn import PixelCNN as PixelCNN
from keras_gen.autoregressive.pixel_cnn_pp import PixelCNNPlusPlus as PixelCNNPlusPlus
from keras_gen.autoregressive.pixel_rnn import DiagonalBiLSTM as DiagonalBiLSTM
from keras_gen.autoregressive.pixel_rnn import RowLSTM as RowLSTM
from keras_gen.autoregressive.recurrent import RecurrentAR as RecurrentAR
from keras_gen.autoregressive.rnade import RNADE as RNADE
from keras_gen.autoregressive.tabular import Independent as Independent
from keras_gen.autoregressive.tabular import Tabular as Tabular
from keras_gen.autoregressive.wavenet import WaveNet as WaveNet
