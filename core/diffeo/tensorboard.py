"""TensorBoard logging through the run hooks: scalars at every log step, histograms at checkpoints, pictures at the end.

The writer of a run lives in ``run.state``, so that runs in one process do not share anything. ``metrics.jsonl`` is the
durable record; what stands here is a view of it.
"""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from diffeo_registry import hookimpl

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["diffeo_checkpoint_saved", "diffeo_run_ended", "diffeo_run_started", "diffeo_step_done"]

_KEY = "diffeo.tensorboard"
_LARGEST = 1e20
"""Where the bins of TensorBoard end."""


@hookimpl
def diffeo_run_started(run: Any) -> None:
    """Open the writer; a resumed run hides what an interrupted one wrote at later steps, one that begins again all of it."""
    from torch.utils.tensorboard import SummaryWriter

    purge = run.step + 1 if run.step else 0
    run.state[_KEY] = SummaryWriter(run.path / "tensorboard", purge_step=purge)


@hookimpl
def diffeo_step_done(run: Any, step: int, metrics: dict[str, float]) -> None:
    """Scalars: ``train/loss``, ..., ``val/loss``, ..."""
    writer = _writer(run)
    for name, value in metrics.items():
        writer.add_scalar(name if "/" in name else f"train/{name}", value, step)
    writer.flush()


@hookimpl
def diffeo_checkpoint_saved(run: Any, step: int, path: Path) -> None:
    """A histogram of every parameter."""
    writer = _writer(run)
    for name, parameter in run.model.named_parameters():
        values = parameter.detach().float().cpu()
        # TensorBoard cannot bin an empty tensor, one with an infinity in it, or one of nothing but huge numbers.
        if bool(values.isfinite().all() and (values.abs() < _LARGEST).any()):
            writer.add_histogram(name.replace(".", "/"), values, step)


@hookimpl
def diffeo_run_ended(run: Any, outcome: str) -> None:
    """The numbers and pictures of the report; then close."""
    writer: SummaryWriter | None = run.state.pop(_KEY, None)
    if writer is None:  # the run failed before it started
        return
    if outcome == "finished":
        from matplotlib.image import imread

        for name, value in run.metrics.items():
            writer.add_scalar(f"report/{name}", value, run.step)
        for picture in sorted((run.path / "report").rglob("*.png")):
            tag = picture.relative_to(run.path / "report").with_suffix("").as_posix()
            writer.add_image(tag, imread(picture), run.step, dataformats="HWC")
    writer.close()


def _writer(run: Any) -> "SummaryWriter":
    return run.state[_KEY]
