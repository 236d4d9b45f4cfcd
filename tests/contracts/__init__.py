"""Promises that models keep, each stated once, in a file of its own.

The test of a model subclasses the contracts that apply to it and says how to make a small model and its data.
"""

from contracts.adversarial import AdversarialContract as AdversarialContract
from contracts.autoregressive import AutoregressiveContract as AutoregressiveContract
from contracts.autoregressive import changed_by_entries as changed_by_entries
from contracts.autoregressive import plain_draws as plain_draws
from contracts.codes import CodesContract as CodesContract
from contracts.conditions import ConditionContract as ConditionContract
from contracts.continuous_density import ContinuousDensityContract as ContinuousDensityContract
from contracts.discrete_density import DiscreteDensityContract as DiscreteDensityContract
from contracts.estimates import EstimatesContract as EstimatesContract
from contracts.flow import FlowContract as FlowContract
from contracts.flow import log_determinant as log_determinant
from contracts.helpers import assert_same_weights as assert_same_weights
from contracts.helpers import batch_for as batch_for
from contracts.helpers import chi_square as chi_square
from contracts.helpers import condition_for as condition_for
from contracts.helpers import draw as draw
from contracts.helpers import randomise as randomise
from contracts.helpers import rows_of as rows_of
from contracts.helpers import traced as traced
from contracts.helpers import values as values
from contracts.sampling import ModelContract as ModelContract
from contracts.training import TrainingContract as TrainingContract
from contracts.translation import TranslationContract as TranslationContract
