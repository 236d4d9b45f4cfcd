"""Readers, which load the columns of a set from a name or a path."""
