"""What a checkpoint costs beside raw safetensors: the same tensors written and read with that library alone.

Usage: python integration/benchmarks/checkpoints.py [--mib N] [--rounds N]

Save: the state of a run with Adam (weights, weights again for training, two slots each) through ``Saver``-like calls: copies,
checksums, manifest, fsync, rename, retention; against ``safetensors.torch.save_file`` of the same tensors, fsynced. Load: the
checkpoint recovered, verified and put into model and optimizer; against ``safetensors.torch.load`` of the same files, read
into memory (not mapped: a mapped file that is truncated kills the process), and the same copies.
"""

import argparse
import os
import shutil
import tempfile
from pathlib import Path

import torch
from interleaved import interleave, report
from safetensors.torch import load, save_file
from torch import Tensor

import diffeo
from diffeo import checkpoints
from diffeo.retention import retain
from diffeo.running import prepare
from diffeo.trainer import Loop
from diffeo_registry import installed, structure

WIDTH = 1024


def trained_loop(mib: int, folder: Path) -> Loop:
    """A loop whose weights take about ``mib`` MiB, after one step."""
    layers = max(1, round(mib * 2**20 / 4 / (WIDTH * WIDTH)))
    network = {"mlp": {"hidden": [WIDTH] * (layers + 1)}}
    whole = {
        "diffeo": 1,
        "data": "two_moons",
        "model": {"flow": {"steps": [{"coupling": {"transform": "affine", "network": network}}]}},
        "trainer": {"batch_size": 8, "steps": 10},
    }
    loop = prepare(structure(whole, diffeo.Spec, registry=installed()), folder)
    loop.module.train()
    loop.take_step()
    return loop


def raw_save(files: dict[str, dict[str, Tensor]], folder: Path) -> None:
    for name, tensors in files.items():
        save_file(tensors, folder / name)
        with (folder / name).open("rb") as file:
            os.fsync(file.fileno())


def raw_load(loop: Loop, files: dict[str, dict[str, Tensor]], folder: Path) -> None:
    own = loop.module.state_dict()
    slots = loop.state.optimizer.state
    for name in files:
        for key, tensor in load((folder / name).read_bytes()).items():
            if key.startswith("module."):
                own[key.removeprefix("module.")].copy_(tensor)
            elif key.startswith("optimizer."):
                place, _, slot = key.removeprefix("optimizer.").rpartition(".")
                slots[loop.module.get_parameter(place)][slot] = tensor


def main() -> None:
    parser = argparse.ArgumentParser(description="Checkpoints beside raw safetensors.")
    parser.add_argument("--mib", type=int, default=100, help="size of the weights")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder, raw = Path(name, "checkpoints"), Path(name, "raw")
        raw.mkdir()
        loop = trained_loop(arguments.mib, Path(name))
        files = {
            "model.safetensors": dict(loop.run.model.state_dict()),
            "training.safetensors": loop.state.training_tensors(),
        }

        def save() -> None:
            loop.state.step += 1
            path = checkpoints.write(folder, loop.state.step, loop.state.files(loop.run.spec.model, {}, {}))
            retain(folder, keep=1, safe=path)

        def load() -> None:
            recovered = checkpoints.recover(folder)
            loop.state.restore(recovered.files, str(recovered.path))

        def save_raw() -> None:
            shutil.rmtree(raw)
            raw.mkdir()
            raw_save(files, raw)

        with torch.no_grad():
            title = f"checkpoint of {arguments.mib} MiB of weights with Adam"
            report(f"save, {title}", interleave({"raw": save_raw, "diffeo": save}, arguments.rounds), base="raw")
            times = interleave({"raw": lambda: raw_load(loop, files, raw), "diffeo": load}, arguments.rounds)
            report(f"load, {title}", times, base="raw")


if __name__ == "__main__":
    main()
