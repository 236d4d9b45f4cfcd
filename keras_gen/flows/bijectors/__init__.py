"""Bijectors that TensorFlow Probability lacks."""
