"""Judging models: likelihoods, baselines, pictures."""

from keras_gen.evaluation.anomaly import AUROC as AUROC
from keras_gen.evaluation.anomaly import anomaly_scores as anomaly_scores
from keras_gen.evaluation.anomaly import anomaly_table as anomaly_table
from keras_gen.evaluation.anomaly import auroc as auroc
from keras_gen.evaluation.anomaly import compressed_bits as compressed_bits
from keras_gen.evaluation.anomaly import mutated as mutated
from keras_gen.evaluation.anomaly import reconstruction_error as reconstruction_error
from keras_gen.evaluation.baselines import baselines as baselines
from keras_gen.evaluation.baselines import bernoulli_mixture as bernoulli_mixture
from keras_gen.evaluation.baselines import gaussian as gaussian
from keras_gen.evaluation.baselines import independent_entries as independent_entries
from keras_gen.evaluation.baselines import markov_chain as markov_chain
from keras_gen.evaluation.clustering import cluster_classes as cluster_classes
from keras_gen.evaluation.clustering import cluster_error as cluster_error
from keras_gen.evaluation.cross_validation import cross_validate as cross_validate
from keras_gen.evaluation.likelihood import likelihood as likelihood
from keras_gen.evaluation.likelihood import likelihood_bound as likelihood_bound
from keras_gen.evaluation.parzen import parzen_log_likelihood as parzen_log_likelihood
from keras_gen.evaluation.pictures import picture as picture
from keras_gen.evaluation.sounds import sound_picture as sound_picture
from keras_gen.evaluation.sounds import write_wav as write_wav
