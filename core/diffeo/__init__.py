"""Normalizing flows composed of named parts. Importing this module does not import torch."""

from typing import TYPE_CHECKING

from diffeo_registry import BuildError, DiffeoError, PluginError, SpecError, lazy_names

if TYPE_CHECKING:
    from diffeo.augmenter import Augmenter
    from diffeo.batch_statistics import BatchStatistics, recorded_statistics, replayed_statistics
    from diffeo.bijector import Bijector
    from diffeo.building import build, make
    from diffeo.callable_target import CallableTarget
    from diffeo.capabilities import Capabilities
    from diffeo.combinators import ChainBijector, InvertBijector, RepeatBijector
    from diffeo.config_spec import Spec, Trainer
    from diffeo.data_initialized import DataInitialized
    from diffeo.dataset import Dataset, Target
    from diffeo.distribution import Distribution
    from diffeo.evaluator import Evaluator
    from diffeo.flow_model import Encoded, FlowModel
    from diffeo.listing import components
    from diffeo.loading import load
    from diffeo.maximum_likelihood import bits_per_dim
    from diffeo.model_files import CheckpointError
    from diffeo.network import Encoder, Network
    from diffeo.noise import normal_noise, uniform_noise
    from diffeo.objective import Loss, Objective, Progress
    from diffeo.parameter_layout import ParameterLayout
    from diffeo.preparation import Plan, check
    from diffeo.recomputation import call_step
    from diffeo.run import Run, RunError
    from diffeo.running import evaluate, resume, train
    from diffeo.schedules import Schedule
    from diffeo.seed_runs import SeedRuns, resume_seeds, train_seeds
    from diffeo.spec_loading import load_spec
    from diffeo.summary import Row, describe_model

__version__ = "0.1.0"

_HOME = {
    "Augmenter": "augmenter",
    "BatchStatistics": "batch_statistics",
    "Bijector": "bijector",
    "CallableTarget": "callable_target",
    "Capabilities": "capabilities",
    "ChainBijector": "combinators",
    "CheckpointError": "model_files",
    "DataInitialized": "data_initialized",
    "Dataset": "dataset",
    "Distribution": "distribution",
    "Encoded": "flow_model",
    "Encoder": "network",
    "Evaluator": "evaluator",
    "FlowModel": "flow_model",
    "InvertBijector": "combinators",
    "Loss": "objective",
    "Network": "network",
    "Objective": "objective",
    "ParameterLayout": "parameter_layout",
    "Plan": "preparation",
    "Progress": "objective",
    "RepeatBijector": "combinators",
    "Row": "summary",
    "Run": "run",
    "RunError": "run",
    "Schedule": "schedules",
    "SeedRuns": "seed_runs",
    "Spec": "config_spec",
    "Target": "dataset",
    "Trainer": "config_spec",
    "bits_per_dim": "maximum_likelihood",
    "build": "building",
    "call_step": "recomputation",
    "check": "preparation",
    "components": "listing",
    "describe_model": "summary",
    "evaluate": "running",
    "load": "loading",
    "load_spec": "spec_loading",
    "make": "building",
    "normal_noise": "noise",
    "recorded_statistics": "batch_statistics",
    "replayed_statistics": "batch_statistics",
    "resume": "running",
    "resume_seeds": "seed_runs",
    "train": "running",
    "train_seeds": "seed_runs",
    "uniform_noise": "noise",
}

__all__ = [
    "Augmenter",
    "BatchStatistics",
    "Bijector",
    "BuildError",
    "CallableTarget",
    "Capabilities",
    "ChainBijector",
    "CheckpointError",
    "DataInitialized",
    "Dataset",
    "DiffeoError",
    "Distribution",
    "Encoded",
    "Encoder",
    "Evaluator",
    "FlowModel",
    "InvertBijector",
    "Loss",
    "Network",
    "Objective",
    "ParameterLayout",
    "Plan",
    "PluginError",
    "Progress",
    "RepeatBijector",
    "Row",
    "Run",
    "RunError",
    "Schedule",
    "SeedRuns",
    "Spec",
    "SpecError",
    "Target",
    "Trainer",
    "bits_per_dim",
    "build",
    "call_step",
    "check",
    "components",
    "describe_model",
    "evaluate",
    "load",
    "load_spec",
    "make",
    "normal_noise",
    "recorded_statistics",
    "replayed_statistics",
    "resume",
    "resume_seeds",
    "train",
    "train_seeds",
    "uniform_noise",
]

__getattr__, __dir__ = lazy_names(__name__, _HOME)
