"""Distributions of entries given the output of a network, and of whole models."""
