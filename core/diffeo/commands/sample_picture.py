"""Draws as a picture: a sheet of images, or points on the plane."""

import math
from pathlib import Path

import torch
from torch import Tensor

from diffeo.evaluators.pictures import MUTED, contact_sheet, new_figure, save
from diffeo.evaluators.sample_grid import to_unit_range

__all__ = ["draw_samples"]


def draw_samples(draws: Tensor, path: Path, *, caption: str = "Samples of the flow.") -> None:
    """Write draws (M, n, *event_shape) as a PNG: a row of images per context, or a square; points as a scatter plot."""
    shape = tuple(draws.shape[2:])
    if shape == (2,):
        _draw_points(draws.flatten(0, 1), path, caption)
    elif len(shape) == 3 and shape[0] in (1, 3):
        _draw_images(draws, path, caption)
    else:
        raise ValueError(f"expected images (1 or 3, H, W) or points (2,) for a .png; got {shape}: use .npz or .csv")


def _draw_images(draws: Tensor, path: Path, caption: str) -> None:
    if draws.shape[0] == 1:
        columns = math.ceil(math.sqrt(draws.shape[1]))
        rows = math.ceil(draws.shape[1] / columns)
        padding = draws.new_zeros((1, rows * columns - draws.shape[1], *draws.shape[2:]))
        draws = torch.cat([draws, padding], 1).reshape(rows, columns, *draws.shape[2:])
    # Pixels of 8 bits or less: an overshoot of the flow must not darken the whole sheet.
    reference = draws if draws.is_floating_point() else draws.clamp(0, 255)
    sheet = contact_sheet(to_unit_range(draws, reference).cpu().numpy())
    scale = max(1, round(64 / draws.shape[-1]))
    sheet = sheet.repeat(scale, 0).repeat(scale, 1)
    height, width = sheet.shape[:2]
    figure = new_figure(width / 144, height / 144)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.imshow(sheet, interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    save(figure, path, caption)


def _draw_points(points: Tensor, path: Path, caption: str) -> None:
    figure = new_figure(5, 5)
    axes = figure.add_subplot()
    x, y = points.double().cpu().numpy().T
    axes.scatter(x, y, s=max(0.5, min(6.0, 6000 / len(points))), color="#1f5b84", alpha=0.6, linewidths=0)
    axes.set_aspect("equal", adjustable="datalim")
    axes.tick_params(labelsize=8, colors=MUTED, color="#c9d1d8")
    for spine in axes.spines.values():
        spine.set_color("#c9d1d8")
    figure.tight_layout(pad=0.8)
    save(figure, path, caption)
