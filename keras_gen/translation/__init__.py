"""Image-to-image translation: from an image of one kind to an image of another kind."""

from keras_gen.translation.base import TranslationModel as TranslationModel
from keras_gen.translation.cycle_gan import CycleGAN as CycleGAN
from keras_gen.translation.folders import FolderReport as FolderReport
from keras_gen.translation.folders import first_images as first_images
from keras_gen.translation.folders import translate_folder as translate_folder
from keras_gen.translation.jigsaw import Jigsaw as Jigsaw
from keras_gen.translation.pix2pix import Pix2Pix as Pix2Pix
from keras_gen.translation.puzzle_gan import PuzzleGAN as PuzzleGAN
from keras_gen.translation.star_gan import StarGAN as StarGAN
