"""The core of every model: its verbs, its training step, its signatures, and saving."""

from keras_gen.core.base import Model as Model
from keras_gen.core.codes import Codes as Codes
from keras_gen.core.codes import DrawsFromCodes as DrawsFromCodes
from keras_gen.core.density import DensityModel as DensityModel
from keras_gen.core.epochs import EpochSolver as EpochSolver
from keras_gen.core.estimates import Estimates as Estimates
from keras_gen.core.estimates import ImportanceBound as ImportanceBound
from keras_gen.core.estimates import PointBound as PointBound
from keras_gen.core.estimates import importance_bound as importance_bound
from keras_gen.core.event_model import EventModel as EventModel
from keras_gen.core.phases import Phases as Phases
from keras_gen.core.phases import weighted_values as weighted_values
from keras_gen.core.sampling import DrawsAroundMeans as DrawsAroundMeans
from keras_gen.core.sampling import GenerativeModel as GenerativeModel
from keras_gen.core.sampling import NoiseDriven as NoiseDriven
from keras_gen.core.signatures import Signature as Signature
from keras_gen.core.step import Step as Step
