"""A small convolutional classifier of images, whose hidden layer is used to evaluate samples.

Such networks come from Yann LeCun, Léon Bottou, Yoshua Bengio, Patrick Haffner (1998), Gradient-based learning applied
to document recognition.
"""

import keras
import tensorflow as tf
import tensorflow_probability as tfp

from keras_gen import checks
from keras_gen.core import EventModel, Signature
from keras_gen.layers.convolution import Conv2D
from keras_gen.layers.dense import Dense
from keras_gen.layers.initializers import initializer_seed
from keras_gen.spaces import ClassLabel

tfd = tfp.distributions


class Classifier(EventModel):
    r"""Convolutions that halve an image, a hidden layer h of features, and the class.

    $$h = \mathrm{relu}(W_1 c(x) + b_1), \qquad p(y|x) = \mathrm{softmax}(W_2 h + b_2), \qquad L = -\log p(y|x)$$

    Each convolution in c is 5×5 with stride 2 and a ReLU. Labels are given like the condition of a conditional model.

    Example:

    ```python
    classifier = keras_gen.evaluation.Classifier((28, 28, 1))
    classifier.compile(jit_compile=True)
    classifier.fit(x_train, y_train, batch_size=100, epochs=3)     # levels 0..255, labels 0..9
    classifier.predict(x_test)                                     # p(y|x)
    features, probabilities = classifier.judge(x_test)
    ```

    Args:
        event_shape: height, width and channels of an image.
        num_classes: number of classes.
        levels: number of levels of a channel, which the network receives as numbers from 0 to 1; None for real numbers.
        filters: channels of each convolution.
        num_features: width of the hidden layer.
        seed: as in `EventModel`; also chooses the initial weights.
        **kwargs: as in `EventModel`.
    """

    terms = ("loss", "accuracy")
    usage = "x = model.event_space.examples(4)    # or your own\nmodel.predict(x)    # probabilities of the classes"

    def __init__(
        self,
        event_shape,
        num_classes: int = 10,
        levels: int | None = 256,
        *,
        filters=(16, 32),
        num_features: int = 64,
        seed: int = 0,
        **kwargs,
    ):
        super().__init__(event_shape, levels=levels, seed=seed, **kwargs)
        self.num_classes = checks.positive_int("num_classes", num_classes)
        self.condition_space = ClassLabel(self.num_classes)
        self.filters = checks.positive_ints("filters", filters)
        self.num_features = checks.positive_int("num_features", num_features)
        self.hidden = keras.Sequential([keras.Input(self.image_shape)], name="hidden")
        for layer, units in enumerate(self.filters):
            self.hidden.add(Conv2D(units, 5, 2, padding="same", activation="relu", **self.layer_options(layer)))
        self.hidden.add(keras.layers.Flatten(dtype=self.dtype_policy))
        options = [self.layer_options(len(self.filters) + layer) for layer in range(2)]
        self.hidden.add(Dense(self.num_features, activation="relu", **options[0]))
        self.output_layer = Dense(self.num_classes, **options[1])
        self.output_layer.build((None, self.num_features))

    @property
    def image_shape(self) -> tuple[int, ...]:
        """Height, width and channels of the input images of the convolutions.

        Raises:
            ValueError: if examples do not have such images.
        """
        if len(self.event_shape) != 3:
            raise ValueError(f"`event_shape` must be (height, width, channels), received {self.event_shape}.")
        return self.event_shape

    def images(self, x: tf.Tensor) -> tf.Tensor:
        """Returns the input of the convolutions for float32 examples, of shape `(batch, *image_shape)`."""
        return self.event_space.scaled(x, 0.0, 1.0)

    def layer_options(self, layer: int) -> dict:
        """Returns the data type of a layer, and He et al.'s initial weights from its own random stream."""
        return {
            "kernel_initializer": keras.initializers.HeNormal(initializer_seed((self.seed, layer))),
            "dtype": self.dtype_policy,
        }

    def features(self, x: tf.Tensor) -> tf.Tensor:
        """Returns h, float32 of shape `(batch, num_features)`, for float32 examples."""
        return tf.cast(self.hidden(self.images(x)), tf.float32)

    def label(self, features: tf.Tensor) -> tfd.Categorical:
        """Returns p(y|x) of images with the given features."""
        return tfd.Categorical(logits=tf.cast(self.output_layer(features), tf.float32))

    def judge(self, x) -> tuple[tf.Tensor, tf.Tensor]:
        """Returns features and class probabilities of images.

        Args:
            x: images of shape `(batch, *event_shape)`.

        Returns:
            float32 tensors of shapes `(batch, num_features)` and `(batch, num_classes)`.

        Raises:
            ValueError: if the shape of `x` or one of its values is not the expected one.
        """
        features = self.features(self.validated(x))
        return features, self.label(features).probs_parameter()

    def call(self, x):
        """Returns the probabilities of the classes, float32 of shape `(batch, num_classes)`."""
        return self.judge(x)[1]

    def loss_terms(self, batch, step):
        """Returns the negative log-likelihood of the label in nats, and whether it is the most probable one."""
        label = self.label(self.features(batch["x"]))
        correct = tf.cast(label.mode(), tf.int32) == batch["condition"]
        return {"loss": -label.log_prob(batch["condition"]), "accuracy": tf.cast(correct, tf.float32)}

    def preview(self, batch, *, seed):
        """Returns the examples themselves, ordered by their predicted classes."""
        order = tf.argsort(tf.argmax(self(batch["x"]), axis=-1), stable=True)
        return {"examples": (self.event_space, tf.gather(batch["x"], order))}

    def signatures(self):
        """Returns `judge`."""

        def judge(x):
            features, probabilities = self.judge(x)
            return {"features": features, "probabilities": probabilities}

        return {"judge": Signature(judge, self.specs("x"))}
