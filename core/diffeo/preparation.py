"""From a spec to what a run is made of; whatever is the user's to mend fails here, before a file is written."""

from pathlib import Path
from typing import Any

import attrs
import torch
from torch import nn

from diffeo.building import make
from diffeo.config_spec import Spec
from diffeo.data_check import LOOKED_AT, check_values
from diffeo.dataset import Dataset, Target
from diffeo.evaluation import check_evaluators, make_evaluators
from diffeo.flow_model import FlowModel
from diffeo.given import with_data
from diffeo.loading import load
from diffeo.model_files import CheckpointError, load_weights
from diffeo.randomness import derive, seeded
from diffeo.run import Run
from diffeo.spec_loading import located
from diffeo.summary import Row, describe_model
from diffeo.target_check import check_target
from diffeo.training_setup import trainable_parameters
from diffeo.training_step import DTYPES
from diffeo_registry import BuildError, DiffeoError, installed

__all__ = ["Plan", "assemble", "check", "make_data"]


@attrs.frozen
class Plan:
    """A spec that was built without training: the model, its rows, and warnings (data that are not there)."""

    model: Any
    rows: list[Row]
    warnings: list[str]


def check(spec: Spec, *, data: Target | None = None) -> Plan:
    """Build everything a spec names and train nothing; data files that are missing are a warning.

    ``data`` is a target that takes the place of the spec's data, as in ``train``.
    """
    spec = with_data(spec, data)
    with located(spec):
        try:
            made = make_data(spec, prepare=False)
        except BuildError as error:
            message = _missing_files(error)
            return Plan(None, [], [f"{message} (the shapes of the data are in it, so the model is not checked)"])
        warnings: list[str] = []
        try:
            _prepare_data(spec, made)
        except BuildError as error:
            warnings.append(_missing_files(error))
        run = _build(spec, made, Path())
        parameters = trainable_parameters(nn.ModuleList([run.model, run.objective]))
        make(spec.trainer.optimizer, parameters, at=("trainer", "optimizer"))
        if not warnings:
            _check_fit(run)
    return Plan(run.model, describe_model(run.model), warnings)


def assemble(spec: Spec, folder: Path) -> Run:
    """The run that a spec describes, before its first step: data that are there, a model that takes them, evaluators that fit."""
    run = _build(spec, make_data(spec), folder)
    _check_fit(run)
    return run


def make_data(spec: Spec, *, prepare: bool = True) -> Any:
    """The data set or target of a spec."""
    registered = installed().of(spec.data)
    is_dataset = "dataset" in registered.component.kind
    data = make(spec.data, *((spec.seed,) if is_dataset else ()), at="data")
    if prepare:
        _prepare_data(spec, data)
    return data


def _build(spec: Spec, data: Any, folder: Path) -> Run:
    model = make(spec.model, data.shapes["x"], data.shapes.get("context"), at="model")
    if isinstance(data, Target):
        _check_target(spec, model, data)
    objective = make(spec.objective, model, data, at="objective")
    make_evaluators(spec)
    if spec.start_from is not None:
        model.to(DTYPES[spec.trainer.precision])
        _start_from(model, spec.start_from)
    return Run(path=folder, spec=spec, model=model, objective=objective, data=data)


def _check_target(spec: Spec, model: Any, target: Target) -> None:
    try:
        with seeded(derive(spec.seed, "target")):
            check_target(target, model, DTYPES[spec.trainer.precision])
    except ValueError as error:
        raise BuildError(str(error), ("data", installed().of(spec.data).name)) from error


def _start_from(model: nn.Module, source: Path) -> None:
    try:
        load_weights(model, dict(load(source).state_dict()), str(source))
    except CheckpointError as error:
        first, *others = str(error).splitlines()
        more = f" (and {len(others)} more: is it a run of the same model?)" if others else ""
        raise BuildError(f"{first}{more}", ("start_from",)) from error


def _check_fit(run: Run) -> None:
    """Raise unless model and evaluators can take the data, as the first examples show."""
    if isinstance(run.model, FlowModel) and isinstance(run.data, Dataset):
        count = min(run.data.size("train") or LOOKED_AT, LOOKED_AT)
        try:
            check_values(run.model, run.data.batch("train", torch.arange(count))["x"])
        except BuildError as error:
            raise error.inside(("model", installed().of(run.spec.model).name)) from None
    check_evaluators(run.spec, make_evaluators(run.spec), run.model, run.data)


def _prepare_data(spec: Spec, data: Any) -> None:
    """Let a data set look at its files; what is wrong with them gets the place of the data in the spec."""
    if isinstance(data, Dataset):
        try:
            data.prepare()
        except DiffeoError as error:
            raise BuildError(str(error), ("data", installed().of(spec.data).name)) from error


def _missing_files(error: BuildError) -> str:
    """What to warn of where files are missing; any other error goes on."""
    if not isinstance(error.__cause__, FileNotFoundError):
        raise error
    return error.message
