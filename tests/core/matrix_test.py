"""A covering part of the matrix of classes, shapes and precisions: `contracts.matrix` has all of it.

Every class has a cell; every family has cells of every shape and of every precision. The classes of a family take the
small shapes, and the precisions, in turn, again from the first class where they are fewer; the large shapes, which take
long, go to one class.
"""

import math

import pytest
import tensorflow as tf
from contracts import matrix

SMALL_SHAPES, LARGE_SHAPES = matrix.SHAPES[:-2], matrix.SHAPES[-2:]

#: A class of each family that is quick with many entries.
QUICK = ("FVSBN", "Autoencoder", "PlanarFlow", "GAN", "RBM", "CategoricalMixture", "Pix2Pix")


def covering_cells() -> list[tuple]:
    """Returns cells of which the families have all classes, all shapes and all precisions."""
    cells = []
    for family, quick in zip(matrix.FAMILIES, QUICK, strict=True):
        names = [name for name in matrix.CLASSES if name in vars(family)]
        for turn in range(max(len(names), len(SMALL_SHAPES))):
            # From the smallest image on, few classes get a shape that they refuse.
            shape = SMALL_SHAPES[(turn + 3) % len(SMALL_SHAPES)]
            cells.append((names[turn % len(names)], shape, matrix.POLICIES[turn % len(matrix.POLICIES)]))
        cells += [(quick, shape, policy) for shape, policy in zip(LARGE_SHAPES, matrix.POLICIES, strict=False)]
    return cells


@pytest.fixture
def functions_run_eagerly():
    yield
    tf.config.run_functions_eagerly(False)


@pytest.mark.parametrize("cell", covering_cells(), ids=lambda cell: "-".join(map(str, cell)))
def test_a_cell_ends_in_a_result_or_in_one_sentence(cell, functions_run_eagerly):
    # Draws of few steps are sooner made than traced.
    tf.config.run_functions_eagerly(cell[0] not in vars(matrix.autoregressive) or math.prod(cell[1]) <= 16)
    assert matrix.outcome(*cell, eager=True)


def test_the_part_covers_the_matrix():
    cells = covering_cells()
    assert {name for name, _, _ in cells} == set(matrix.CLASSES) >= set(matrix.SMALL)
    for family in matrix.FAMILIES:
        own = [cell for cell in cells if cell[0] in vars(family)]
        assert {shape for _, shape, _ in own} == set(matrix.SHAPES)
        assert {policy for _, _, policy in own} == set(matrix.POLICIES)
