"""Export of models: folders for TF Serving, and files for LiteRT."""

from keras_gen.export.graphs import Graphs as Graphs
from keras_gen.export.litert import litert as litert
from keras_gen.export.saved_model import saved_model as saved_model
