"""Bijectors that TensorFlow Probability lacks, or has only in a form that is slow here or that LiteRT cannot run.

A bijector has no weights. A model creates it anew for each pass, from the values of weights or from networks that
compute its parameters. Bijectors with networks remember what the networks last computed (`memo`), because TFP asks for
a value and then for its log-determinant. Tests compare all bijectors with automatic differentiation.

- `affine`: shifts and scales, with parameters that are fixed, given for each entry, or statistics of the input.
- `autoregressive`: functions of one entry after another, with a cache.
- `coupling`: functions of some entries whose parameters depend on the others.
- `images`: squeezes, masked couplings, and bijectors of some of the channels.
- `linear`: invertible matrices in LU form.
- `residual`: an input plus a function of few numbers: planar, radial and Sylvester flows.
- `splines`: monotonic rational-quadratic splines of single entries.
"""

from keras_gen.flows.bijectors.affine import Normalization as Normalization
from keras_gen.flows.bijectors.affine import Standardization as Standardization
from keras_gen.flows.bijectors.affine import affine as affine
from keras_gen.flows.bijectors.autoregressive import MaskedAutoregressive as MaskedAutoregressive
from keras_gen.flows.bijectors.coupling import Coupling as Coupling
from keras_gen.flows.bijectors.coupling import affine_coupling as affine_coupling
from keras_gen.flows.bijectors.images import MaskedCoupling as MaskedCoupling
from keras_gen.flows.bijectors.images import checkerboard as checkerboard
from keras_gen.flows.bijectors.images import on_second_half as on_second_half
from keras_gen.flows.bijectors.images import on_squeezed as on_squeezed
from keras_gen.flows.bijectors.linear import LUProduct as LUProduct
from keras_gen.flows.bijectors.residual import Planar as Planar
from keras_gen.flows.bijectors.residual import Radial as Radial
from keras_gen.flows.bijectors.residual import Sylvester as Sylvester
from keras_gen.flows.bijectors.splines import RationalQuadratic as RationalQuadratic
