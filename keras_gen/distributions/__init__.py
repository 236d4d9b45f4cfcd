"""Distributions of an entry given what a network puts out, and of models."""
