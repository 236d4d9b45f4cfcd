"""`tf.distribute` strategies by name."""

import json
import os

import tensorflow as tf

from keras_gen import checks


def choose_strategy(name: str = "auto") -> tf.distribute.Strategy:
    """Returns the strategy to build and train a model under.

    Args:
        name: "one" (the default device), "mirrored" (all GPUs of this machine, or all logical CPUs if there are none),
            "multi_worker" (the machines that TF_CONFIG names), "slurm" (the tasks that srun has started), "tpu", or
            "auto": the first that applies among multi_worker, tpu, mirrored (with two GPUs or more) and one.

    Raises:
        ValueError: if the name is unknown, or "multi_worker" is requested without TF_CONFIG, or "slurm" without srun.
    """
    checks.choice("strategy", name, ("auto", "one", "mirrored", "multi_worker", "slurm", "tpu"))
    workers = json.loads(os.environ.get("TF_CONFIG", "{}")).get("cluster", {}).get("worker", [])
    if name == "auto":
        if len(workers) > 1:
            name = "multi_worker"
        elif "TPU_NAME" in os.environ:
            name = "tpu"
        else:
            name = "mirrored" if len(tf.config.list_physical_devices("GPU")) > 1 else "one"
    if name == "multi_worker":
        if not workers:
            raise ValueError("`strategy` 'multi_worker' needs the variable TF_CONFIG to name the workers.")
        return tf.distribute.MultiWorkerMirroredStrategy()
    if name == "slurm":
        if "SLURM_STEP_NODELIST" not in os.environ:
            raise ValueError("`strategy` 'slurm' needs a command that srun starts, once for each task.")
        resolver = tf.distribute.cluster_resolver.SlurmClusterResolver()
        return tf.distribute.MultiWorkerMirroredStrategy(cluster_resolver=resolver)
    if name == "tpu":
        resolver = tf.distribute.cluster_resolver.TPUClusterResolver(os.environ.get("TPU_NAME", "local"))
        tf.config.experimental_connect_to_cluster(resolver)
        tf.tpu.experimental.initialize_tpu_system(resolver)
        return tf.distribute.TPUStrategy(resolver)
    if name == "mirrored":
        kind = "GPU" if tf.config.list_logical_devices("GPU") else "CPU"
        return tf.distribute.MirroredStrategy([device.name for device in tf.config.list_logical_devices(kind)])
    return tf.distribute.get_strategy()


def is_chief(strategy: tf.distribute.Strategy) -> bool:
    """Whether this process is the one that writes files."""
    resolver = strategy.cluster_resolver
    if not isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) or resolver is None:
        return True
    return resolver.task_type in (None, "chief") or resolver.task_id == 0
