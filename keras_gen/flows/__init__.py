"""Invertible transformations of noise, with exact densities."""

from keras_gen.flows.ffjord import ContinuousFlow as ContinuousFlow
from keras_gen.flows.glow import Glow as Glow
from keras_gen.flows.maf import IAF as IAF
from keras_gen.flows.maf import MAF as MAF
from keras_gen.flows.maf import MixtureMAF as MixtureMAF
from keras_gen.flows.nice import NICE as NICE
from keras_gen.flows.planar import PlanarFlow as PlanarFlow
from keras_gen.flows.planar import RadialFlow as RadialFlow
from keras_gen.flows.real_nvp import RealNVP as RealNVP
from keras_gen.flows.real_nvp_image import MultiScaleRealNVP as MultiScaleRealNVP
from keras_gen.flows.spline import MaskedSplineFlow as MaskedSplineFlow
from keras_gen.flows.spline import NeuralSplineFlow as NeuralSplineFlow
from keras_gen.flows.sylvester import SylvesterFlow as SylvesterFlow
