"""Images from more and more latents: Bekasov & Murray 2020, arXiv:2006.08777, figures 4 and 5.

R rows, K columns, L latents of the flow, C channels, H height, W width.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor

from diffeo.evaluator import Evaluator
from diffeo.evaluators.examples import first
from diffeo.evaluators.pictures import INK, MUTED, contact_sheet, new_figure, save
from diffeo.evaluators.sample_grid import to_unit_range
from diffeo.randomness import derive, seeded
from diffeo_nested_dropout.config_evaluators import ProgressiveSamples
from diffeo_nested_dropout.evaluators.ordered import check_flow, decode_first, flat_latents, num_latents, numbers_kept
from diffeo_nested_dropout.truncation import latent_ranks

__all__ = ["ProgressiveSamplesEvaluator"]

SEARCHED = 200
"""Examples whose brightest pixel says how many bits the data have."""

INCHES = 0.52
"""Width of one image on the sheet; 75 pixels at 144 dpi, enough for 64 x 64 images, and for a label of four digits."""

Images = Float[Tensor, "R K C H W"]


class ProgressiveSamplesEvaluator(Evaluator):
    """Draws what the first k latents are decoded to, ``f^-1(m_k * z)``, m_k = (1 .. 1, 0 .. 0) with k ones, for growing k.

    ``progressive_samples.png`` has a row for every draw z of the base, the last image in it the whole sample;
    ``progressive_reconstructions.png`` one for every unseen image, z = f(y), and the image itself at the end.
    Samples of a conditional flow are for the contexts of the same unseen images. Returns no numbers.

    Shapes: images of (1 or 3, H, W). A flow with a dequantization gives whole numbers, as ``sample`` does.

    Source: Bekasov and Murray 2020, arXiv:2006.08777, figures 4 and 5.
    """

    def __init__(self, config: ProgressiveSamples) -> None:
        self.config = config

    def check(self, model: Any, data: Any) -> None:
        check_flow("progressive_samples", model, data, self.config.split)
        if len(model.event_shape) != 3 or model.event_shape[0] not in (1, 3):
            raise ValueError(
                f"expected images of shape (1 or 3, H, W) for 'progressive_samples'; got {model.event_shape}"
            )
        self._kept(model)

    def __call__(self, model: Any, data: Any, folder: Path) -> dict[str, float]:
        self.check(model, data)
        kept, rows = self._kept(model), self.config.rows
        reference = first(data, self.config.split, max(rows, SEARCHED), model.like)
        examples = {key: values[:rows] for key, values in reference.items()}
        x, context = examples["x"], examples.get("context")
        with torch.no_grad():
            with seeded(derive(self.config.seed, "samples")):
                z = _draw_latents(model, len(x) if context is not None else rows, context, self.config.temperature)
            samples = self._grow(model, flat_latents(model, z), kept, context)
            with seeded(derive(self.config.seed, "reconstructions")):
                z = model.encode_data(x, context=context).z
            reconstructions = self._grow(model, flat_latents(model, z), kept, context)
        labels = [str(number) for number in kept]
        _draw_sheet(
            "samples",
            "Samples of the flow from the first latents alone, as many as stand above the column.",
            labels,
            to_unit_range(samples, reference["x"]),
            folder / "progressive_samples.png",
        )
        _draw_sheet(
            "reconstructions",
            "Unseen images from their first latents alone, as many as stand above the column, and the images themselves.",
            [*labels, "image"],
            to_unit_range(torch.cat([reconstructions, x[:, None].to(reconstructions)], 1), reference["x"]),
            folder / "progressive_reconstructions.png",
        )
        return {}

    def _kept(self, model: Any) -> list[int]:
        most = num_latents(model)
        return numbers_kept(self.config.keep, [2**power for power in range(1, most.bit_length())] + [most], model)

    def _grow(self, model: Any, z: Float[Tensor, "R L"], kept: Sequence[int], context: Tensor | None) -> Images:
        """A row of images for every z."""
        ranks = latent_ranks(self.config.latents, z.shape[-1])
        columns = [_data(model, decode_first(model, z, number, ranks, context), context) for number in kept]
        return torch.stack(columns, 1)


def _draw_latents(model: Any, number: int, context: Tensor | None, temperature: float) -> Tensor:
    """Draws of the base, one for every context where there are any."""
    if context is None:
        return model.base.sample((number,), temperature=temperature)
    return model.base.sample((), context=_features(model, context), temperature=temperature)


def _data(model: Any, y: Tensor, context: Tensor | None) -> Tensor:
    """The data behind continuous points."""
    if model.dequantization is None:
        return y
    return model.dequantization.strip(y, context=None if context is None else _features(model, context))


def _features(model: Any, context: Tensor) -> Tensor:
    return context if model.context_network is None else model.context_network(context)


def _draw_sheet(name: str, caption: str, labels: Sequence[str], images: Images, path: Path) -> None:
    """A sheet of images with a label above every column."""
    rows, columns, _, high, wide = images.shape
    top, edge = 0.55, 0.12
    inches_wide, inches_high = INCHES * columns + 2 * edge, INCHES * high / wide * rows + top + edge
    figure = new_figure(inches_wide, inches_high)
    box = (edge / inches_wide, edge / inches_high, 1 - 2 * edge / inches_wide, 1 - (top + edge) / inches_high)
    axes = figure.add_axes(box)
    axes.imshow(contact_sheet(images.cpu().numpy()), interpolation="nearest", aspect="auto")
    axes.set_axis_off()
    for column, label in enumerate(labels):
        centre = column * (wide + 1) + (wide - 1) / 2
        axes.text(centre, -0.12 * high, label, ha="center", va="bottom", fontsize=8, color=MUTED)
    figure.text(edge / inches_wide, 1 - edge / inches_high, name, va="top", fontsize=10, color=INK)
    save(figure, path, caption)
