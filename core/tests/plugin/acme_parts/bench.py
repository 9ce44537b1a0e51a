"""What tests of the trainer share: small specs, runs in one folder, and what they left, ready to be compared."""

import hashlib
import json

import diffeo
from diffeo.config_spec import Spec
from diffeo_registry import installed, structure

CHANGING = {"time", "steps_per_second", "examples_per_second", "memory_mib"}
"""What two equal runs may differ in."""

NOISY = {"flow": {"steps": [{"couple": {"dropout": 0.3}}, {"couple": {"swap": True}}, "append"]}}
"""A model that draws noise in two ways."""

EXACT = {"flow": {"steps": [{"couple": {}}, "stretch", {"couple": {"swap": True}}]}}
"""A model that draws none."""


class Bench:
    """Runs below one folder, by name."""

    def __init__(self, folder):
        self.folder = folder

    def path(self, name):
        return self.folder / name

    def sections(self, **sections):
        """The data of a spec: 20 steps of 12 of the 48 beads, so that an epoch has 4."""
        trainer = {"steps": 20, "batch_size": 12, "log_every": 3, "eval_every": 10, **sections.pop("trainer", {})}
        return {"diffeo": 1, "data": {"beads": {"shake": 0.1}}, "model": NOISY, "trainer": trainer, **sections}

    def spec(self, **sections):
        return structure(self.sections(**sections), Spec, registry=installed())

    def write(self, name, **sections):
        """A spec file: JSON is YAML."""
        path = self.folder / f"{name}.yaml"
        path.write_text(json.dumps(self.sections(**sections)))
        return path

    def train(self, name, *, until=None, **sections):
        return diffeo.train(self.spec(**sections), self.path(name), until=until, show_progress=False)

    def resume(self, name, *, until=None):
        return diffeo.resume(self.path(name), until=until, show_progress=False)

    def steps(self, name):
        """The steps of the checkpoints, oldest first."""
        return sorted(int(path.name[5:]) for path in self.path(name).glob("checkpoints/step-*"))

    def checkpoint(self, name, step=None):
        return self.path(name) / "checkpoints" / f"step-{self.steps(name)[-1] if step is None else step:09d}"

    def weights(self, name, step=None):
        """Hashes of the two files of tensors, by default those of the newest checkpoint."""
        folder = self.checkpoint(name, step)
        files = (folder / name for name in ("model.safetensors", "training.safetensors"))
        return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    def lines(self, name, file="metrics.jsonl"):
        path = self.path(name) / file
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def metrics(self, name):
        """The lines of the log, without what has to do with time."""
        return [{key: row[key] for key in row if key not in CHANGING} for row in self.lines(name)]

    def incidents(self, name):
        return [row["incident"] for row in self.lines(name, "incidents.jsonl")]
