"""A sheet of image samples beside real images.

Legend: R rows, K columns, C channels, H height, W width.
"""

from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from diffeo.config_evaluators import SampleGrid
from diffeo.dataset import Dataset
from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import class_names, first, is_one_hot, require_dataset, require_split
from diffeo.evaluators.pictures import contact_sheet, new_figure, row_labels, save, title
from diffeo.randomness import seeded

__all__ = ["SampleGridEvaluator", "to_unit_range"]

_SEARCHED = 2000
"""Examples among which the real images of every class are looked for: 200 of each of ten classes."""

_INCHES = 0.52
"""Height of one image on the sheet; 75 pixels at 144 dpi, enough for 64 x 64 images."""


class _Sheet(NamedTuple):
    samples: Tensor
    """(R, K, C, H, W)"""
    real: Tensor
    """(R, K', C, H, W)"""
    labels: list[str]
    caption: str


def to_unit_range(images: Tensor, reference: Tensor) -> Tensor:
    """Pixels in [0, 1], by the range of ``reference``: 0 to 2^bits - 1 for integers, min to max for floats."""
    if reference.is_floating_point():
        low, high = float(reference.min()), float(reference.max())
    else:
        low, high = 0.0, float((1 << max(1, int(reference.max()).bit_length())) - 1)
    return ((images.double() - low) / max(high - low, 1e-12)).clamp(0, 1)


class SampleGridEvaluator(Evaluator):
    """Draws samples of an image flow into ``sample_grid.png``, real images beside them.

    Where the context is a one-hot class there is one row per class, on both sides. For any other context a row shows
    samples for the context of one held-out example, whose own image stands beside it. Returns no numbers.
    """

    def __init__(self, config: SampleGrid) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        require_split(require_dataset(data, "sample_grid"), self.config.split)
        if len(model.event_shape) != 3 or model.event_shape[0] not in (1, 3):
            raise ValueError(f"expected images of shape (1 or 3, H, W) for 'sample_grid'; got {model.event_shape}")

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        examples = first(data, self.config.split, _SEARCHED, model.like)
        with torch.no_grad(), seeded(self.config.seed):
            sheet = self._sheet(model, data, examples)
        self._draw(sheet, examples["x"], folder / "sample_grid.png")
        return {}

    def _sheet(self, model: Any, data: Dataset, examples: dict[str, Tensor]) -> _Sheet:
        rows, columns = self.config.rows, self.config.columns
        side, temperature = max(1, columns // 2), self.config.temperature
        real, context = examples["x"], examples.get("context")
        if model.context_shape is None or context is None:
            samples = model.sample((rows, columns), temperature=temperature)
            real = _tile(real, rows, side)
            return _Sheet(samples, real, [], "Samples of the flow, and real images that it has not seen.")
        if is_one_hot(context):
            contexts, labels = torch.eye(context.shape[1]).to(context), class_names(data, context.shape[1])
            real = torch.stack([_tile(real[row.bool()], 1, side)[0] for row in context.mT])
            caption = "Samples of the flow, one row per class, and real images of that class that it has not seen."
        else:
            contexts, labels, real = context[:rows], [], real[:rows, None]
            caption = "Samples of the flow for the context of one unseen example per row, and that example itself."
        samples = model.sample((columns,), context=contexts, temperature=temperature)
        return _Sheet(samples.movedim(0, 1), real, labels, caption)

    def _draw(self, sheet: _Sheet, reference: Tensor, path: Path) -> None:
        heat = self.config.temperature
        panels = [("samples" if heat == 1 else f"samples at temperature {heat:g}", sheet.samples)]
        if self.config.real:
            panels.append(("real images", sheet.real))
        height, width = sheet.samples.shape[-2:]
        widths = [panel.shape[1] for _, panel in panels]
        longest = max((len(label) for label in sheet.labels), default=0)
        left, top, space = 0.12 + 0.085 * longest, 0.36, 0.3
        inches_wide = left + _INCHES * width / height * sum(widths) + space * (len(panels) - 1) + 0.12
        inches_high = top + _INCHES * sheet.samples.shape[0] + 0.1
        figure, offset = new_figure(inches_wide, inches_high), left
        for (name, panel), columns in zip(panels, widths, strict=True):
            inches = _INCHES * width / height * columns
            box = (offset / inches_wide, 0.1 / inches_high, inches / inches_wide, 1 - (top + 0.1) / inches_high)
            axes = figure.add_axes(box)
            axes.imshow(contact_sheet(to_unit_range(panel, reference).cpu().numpy()), interpolation="nearest")
            axes.set_axis_off()
            title(axes, name)
            if offset == left:
                row_labels(axes, sheet.labels, height=height, gap=1)
            offset += inches + space
        save(figure, path, sheet.caption if self.config.real else sheet.caption.split(",")[0] + ".")


def _tile(images: Tensor, rows: int, columns: int) -> Tensor:
    """The first images as ``(rows, columns, C, H, W)``; black where there are too few."""
    missing = rows * columns - len(images)
    if missing > 0:
        images = torch.cat([images, images.new_zeros((missing, *images.shape[1:]))])
    return images[: rows * columns].reshape(rows, columns, *images.shape[1:])
