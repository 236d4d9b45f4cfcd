"""Leaving the laptop: folders that TF Serving takes, and files that LiteRT runs."""

from keras_gen.export.graphs import Graphs as Graphs
from keras_gen.export.litert import litert as litert
from keras_gen.export.saved_model import saved_model as saved_model
