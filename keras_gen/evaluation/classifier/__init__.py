"""A classifier of images, whose features judge samples, and the weights of the one that comes with the package."""

import pathlib

from keras_gen.evaluation.classifier.network import Classifier as Classifier

#: A classifier of handwritten digits, made by `recipes/tasks/classifier.py --paper`.
SHIPPED = pathlib.Path(__file__).with_name("mnist_classifier.keras")
