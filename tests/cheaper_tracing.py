"""Spares TensorFlow what it does for each operation and no test asks for; imported for that alone."""

import functools
import typing

from tensorflow.python.util import tf_stack

# TensorFlow asks of every argument of every operation whether it follows a protocol. From Python 3.12 on, the members
# of a protocol are collected once; before, at each question, which is a tenth of the time of all tests.
if hasattr(typing, "_get_protocol_attrs"):
    typing._get_protocol_attrs = functools.cache(typing._get_protocol_attrs)

# It keeps, for each operation of a graph, the stack that made it, for the messages of errors: one stack does for all.
tf_stack.extract_stack = functools.cache(tf_stack.extract_stack)
