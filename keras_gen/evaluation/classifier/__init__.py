"""Classifiers of images and sounds, whose features evaluate samples, and the weights of one of handwritten digits."""

import pathlib

from keras_gen.evaluation.classifier.network import Classifier as Classifier
from keras_gen.evaluation.classifier.sounds import SoundClassifier as SoundClassifier

#: A classifier of handwritten digits, made by `recipes/tasks/classifier.py --preset two_cores`.
SHIPPED = pathlib.Path(__file__).with_name("mnist_classifier.keras")
