"""Readers: from a name or a path to the columns of a set."""
