"""Data sets by name or path, as `tf.data` pipelines."""

from keras_gen.data.captioned_folders import load_captioned as load_captioned
from keras_gen.data.captioned_folders import load_captions as load_captions
from keras_gen.data.captions import CaptionedSplits as CaptionedSplits
from keras_gen.data.captions import asked as asked
from keras_gen.data.captions import captioned as captioned
from keras_gen.data.loading import load as load
from keras_gen.data.new_examples import NewExamples as NewExamples
from keras_gen.data.pairs import load_pairs as load_pairs
from keras_gen.data.parts import with_parts as with_parts
from keras_gen.data.splits import Splits as Splits
from keras_gen.data.styles import STYLE_ATTRIBUTES as STYLE_ATTRIBUTES
from keras_gen.data.styles import styled as styled
from keras_gen.data.transforms import augmented as augmented
from keras_gen.data.transforms import dequantized as dequantized
from keras_gen.data.transforms import few_labels as few_labels
from keras_gen.data.transforms import paired as paired
from keras_gen.data.transforms import stacked as stacked
from keras_gen.data.unpaired import UnpairedSplits as UnpairedSplits
from keras_gen.data.unpaired import load_unpaired as load_unpaired
