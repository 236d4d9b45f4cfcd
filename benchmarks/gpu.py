"""Training steps against the peak of the device that they run on, a GPU if there is one.

    python benchmarks/gpu.py

prints the rate of a large matrix product in float32 and in bfloat16, which is taken as the device's peak; and for a
step of each model its time, the examples per second, the operations that TensorFlow counts in its graph (products and
convolutions, forward and backward), and their share of the peak for their precision.
"""

import keras
import numpy as np
import tensorflow as tf
import tyro
from timing import best_seconds, compiled_step

from keras_gen import adversarial, autoregressive, flows, latent
from keras_gen.core import Model

#: Maps each name to a function from the precision to a model, and the number of examples in its batch.
MODELS = {
    "MADE, 2 x 8000 units": (lambda dtype: autoregressive.MADE((28, 28, 1), (8000, 8000), dtype=dtype), 1000),
    "VAE, dense": (lambda dtype: latent.VAE((28, 28, 1), 50, hidden_units=(4000, 4000), dtype=dtype), 1000),
    "DCGAN, 64x64": (lambda dtype: adversarial.DCGAN((64, 64, 3), dtype=dtype), 128),
    "Glow, 32x32": (lambda dtype: flows.Glow((32, 32, 3), dtype=dtype), 64),
    "PixelCNN++, 32x32": (lambda dtype: autoregressive.PixelCNNPlusPlus((32, 32, 3), dtype=dtype), 16),
}
PRECISIONS = {"float32": tf.float32, "mixed_bfloat16": tf.bfloat16}


def product_rate(dtype: tf.DType, size: int, repetitions: int) -> float:
    """Returns the operations per second of a product of two square matrices."""
    a = tf.cast(tf.random.stateless_normal((size, size), (0, 1)), dtype)
    product = tf.function(lambda: tf.cast(tf.reduce_sum(tf.matmul(a, a)[0]), tf.float32), autograph=False)
    return 2 * size**3 / best_seconds([product], repetitions)[0]


def operations(model: Model, batch: dict[str, np.ndarray]) -> int:
    """Returns the number of operations of a training step that TensorFlow can count; those in loops count once."""
    tensors = {name: tf.constant(column) for name, column in batch.items()}
    graph = tf.function(lambda: model.train_step(tensors), autograph=False).get_concrete_function().graph
    options = tf.compat.v1.profiler.ProfileOptionBuilder.float_operation()
    options["output"] = "none"
    return tf.compat.v1.profiler.profile(graph=graph, options=options).total_float_ops


def main(
    *, names: tuple[str, ...] = tuple(MODELS), size: int = 8192, repetitions: int = 20, share: float = 1.0
) -> None:
    """Prints the table.

    Args:
        names: models to measure.
        size: number of rows of the matrices whose product gives the peak.
        repetitions: number of calls of each step; the best counts.
        share: share of the batch of each model to use, for smaller cards.
    """
    (device, *_) = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
    details = tf.config.experimental.get_device_details(tf.config.list_physical_devices(device.device_type)[0])
    peaks = {name: product_rate(dtype, size, repetitions) for name, dtype in PRECISIONS.items()}
    print(f"{device.device_type} {details.get('device_name', '')}".strip())
    for name, peak in peaks.items():
        print(f"matrix product of {size} rows, {PRECISIONS[name].name}: {peak / 1e12:.2f} TFLOP/s")
    print(f"{'step':24}{'precision':>16}{'ms':>9}{'examples/s':>12}{'TFLOP/s':>10}{'of peak':>9}")
    for name in names:
        make, num = MODELS[name]
        num = max(1, round(share * num))
        for precision, peak in peaks.items():
            model = make(precision)
            optimizers = [keras.optimizers.Adam(1e-4) for _ in range(2 if isinstance(model, adversarial.DCGAN) else 1)]
            model.compile(*optimizers, jit_compile=False)
            batch = {column: space.examples(num, (0, 1)).numpy() for column, space in model.spaces.items()}
            count = operations(model, batch)
            (seconds,) = best_seconds([compiled_step(model, batch)], repetitions)
            rate = count / seconds
            speed = f"{1000 * seconds:9.1f}{num / seconds:12,.0f}{rate / 1e12:10.3f}{rate / peak:9.0%}"
            print(f"{name:24}{precision:>16}{speed}", flush=True)


if __name__ == "__main__":
    tyro.cli(main)
