"""Make the checkpoints of tests/frozen/api1 anew, with the trainer of today: `python tests/frozen/make.py`.

They are made once, when the formats they are in are released, and not again: `tests/test_frozen.py` then shows that later
versions still read them. Each spec leaves a `NAME.safetensors`, the model, and a `NAME.outputs.safetensors`: what the model
gave for some inputs when it was made. `run/` is a whole run folder, stopped halfway; `run.outputs.safetensors` holds the
weights that it ended with when it went on.
"""

import contextlib
import shutil
import sys
import tempfile
import warnings
from pathlib import Path

import torch
from safetensors.torch import save_file

import diffeo
from diffeo_registry import DeprecatedNameWarning

FOLDER = Path(__file__).parent / "api1"

LARGEST = 100_000
"""Bytes of a file: these lie in the repository for good."""


def main() -> None:
    """Train every spec for a few steps and write what came of it."""
    torch.set_num_threads(1)
    shutil.rmtree(FOLDER / "checkpoints", ignore_errors=True)
    (FOLDER / "checkpoints").mkdir()
    with tempfile.TemporaryDirectory() as aside, contextlib.chdir(FOLDER):
        for spec in sorted(Path("specs").glob("*.yaml")):
            keep_model(spec, Path(aside) / spec.stem)
        keep_run(Path("specs/plain.yaml"), Path(aside))
    largest = max(FOLDER.rglob("*"), key=lambda path: path.stat().st_size)
    assert largest.stat().st_size < LARGEST, largest


def keep_model(spec: Path, out: Path) -> None:
    """Keep the last weights of a run, and what they compute in double precision."""
    run = diffeo.train(diffeo.load_spec(spec), out, show_progress=False)
    target = Path("checkpoints") / f"{spec.stem}.safetensors"
    shutil.copy(newest(run.path) / "model.safetensors", target)
    save_file(outputs(diffeo.load(target)), target.with_suffix(".outputs.safetensors"), surroundings())


def outputs(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """What a model gives for fixed inputs, as far as it draws no noise: latents to data, and densities where it is exact."""
    model = model.double()
    z = torch.linspace(-2, 2, 5 * model.latent_shape[0], dtype=torch.float64).reshape(5, -1)
    x = torch.linspace(-1.5, 1.5, 10, dtype=torch.float64).reshape(5, 2)
    found = {"z": z, "x": x, "decoded": model.decode(z)}
    if model.is_exact:
        found |= {"log_prob": model.log_prob(x), "encoded": model.encode(x)[0].clone()}
    return {name: tensor.detach().contiguous() for name, tensor in found.items()}


def keep_run(spec: Path, aside: Path) -> None:
    """Keep a run that was stopped halfway, without what only people look at, and the weights it ends with."""
    diffeo.train(diffeo.load_spec(spec), aside / "half", until=5, show_progress=False)
    for unwanted in ("tensorboard", "report"):
        shutil.rmtree(aside / "half" / unwanted, ignore_errors=True)
    for unwanted in (aside / "half").glob(".*"):
        unwanted.unlink()
    shutil.copytree(aside / "half", Path("checkpoints/run"))
    run = diffeo.resume(aside / "half", show_progress=False)
    weights = {name: tensor.contiguous() for name, tensor in run.model.state_dict().items()}
    save_file(weights, "checkpoints/run.outputs.safetensors", surroundings())


def newest(run: Path) -> Path:
    return max((run / "checkpoints").glob("step-*"))


def surroundings() -> dict[str, str]:
    """What the last bit of a number depends on."""
    return {"torch": torch.__version__, "cpu": torch.backends.cpu.get_cpu_capability()}


if __name__ == "__main__":
    sys.path.insert(0, str(FOLDER))
    warnings.simplefilter("ignore", DeprecatedNameWarning)
    main()
