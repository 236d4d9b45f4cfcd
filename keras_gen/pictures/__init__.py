"""Pictures of examples, of a model's outputs and of densities; and sound to look at and listen to."""

from keras_gen.pictures.grids import as_images as as_images
from keras_gen.pictures.grids import image_grid as image_grid
from keras_gen.pictures.plots import density_plot as density_plot
from keras_gen.pictures.plots import line_plots as line_plots
from keras_gen.pictures.rows import is_audible as is_audible
from keras_gen.pictures.rows import labelled_rows as labelled_rows
from keras_gen.pictures.rows import picture as picture
from keras_gen.pictures.rows import preview as preview
from keras_gen.pictures.rows import titled as titled
from keras_gen.pictures.sounds import MOST_SOUNDS as MOST_SOUNDS
from keras_gen.pictures.sounds import write_wav as write_wav
