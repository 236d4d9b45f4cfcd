"""Spares TensorFlow and Keras what they do for each operation or weight and no test asks for; imported for that."""

import functools
import typing

import keras
import tensorflow as tf
from tensorflow.python.ops import gen_resource_variable_ops
from tensorflow.python.util import tf_stack

answers, asked = {}, typing._ProtocolMeta.__instancecheck__


def has_protocol(protocol, instance):
    """Says whether an object follows a protocol, which TensorFlow asks of all arguments of all operations."""
    key = protocol, type(instance)
    if key not in answers:
        answers[key] = asked(protocol, instance)
    return answers[key]


typing._ProtocolMeta.__instancecheck__ = has_protocol

# It keeps, for each operation of a graph, the stack that made it, for the messages of errors: one stack does for all.
tf_stack.extract_stack = functools.cache(tf_stack.extract_stack)

make_handle = gen_resource_variable_ops.var_handle_op


def handle_of_any_name(**attributes):
    """Makes a variable by the one kernel of its shape: TensorFlow makes and keeps a kernel for each name."""
    names = {"name": "variable", "debug_name": ""} if tf.executing_eagerly() else {}
    return make_handle(**attributes | names)


gen_resource_variable_ops.var_handle_op = handle_of_any_name


def update_step(optimizer, gradient, variable, learning_rate):
    """Moves a weight as `keras.optimizers.Adam` does, by one kernel in place of some forty operations."""
    index = optimizer._get_variable_index(variable)
    variable = variable.value if isinstance(variable, keras.Variable) else variable
    dtype = variable.dtype
    step = tf.cast(optimizer.iterations.value + 1, dtype)
    beta_1, beta_2 = (tf.constant(beta, dtype) for beta in (optimizer.beta_1, optimizer.beta_2))
    tf.raw_ops.ResourceApplyAdam(
        var=variable.handle,
        m=optimizer._momentums[index].value.handle,
        v=optimizer._velocities[index].value.handle,
        beta1_power=beta_1**step,
        beta2_power=beta_2**step,
        lr=tf.cast(learning_rate, dtype),
        beta1=beta_1,
        beta2=beta_2,
        epsilon=tf.constant(optimizer.epsilon, dtype),
        grad=tf.convert_to_tensor(gradient, dtype),
    )


keras.optimizers.Adam.update_step = update_step
