"""The manifest: every record and hook of plugin API 1."""

from diffeo_registry import Component, Kind, Recipe, hookimpl

PLUGIN_API = 1


@hookimpl
def diffeo_components():
    return [
        Kind(name="gate", plural="gates", protocol="torch.nn:Module", built_with=("shape",), summary="How much."),
        Component(
            kind="gate",
            name="soft",
            config="acme_frozen.config:SoftGate",
            implementation="acme_frozen.parts:SoftGate",
            summary="Trainable.",
        ),
        Component(
            kind=("gate",),
            name="fixed",
            config="acme_frozen.config:FixedGate",
            implementation="acme_frozen.parts:FixedGate",
            summary="One number.",
        ),
        Component(
            kind="bijector",
            name="warp",
            version=1,
            config="acme_frozen.config:Warp",
            implementation="acme_frozen.parts:WarpBijector",
            summary="A gated coupling.",
            source="Doe 2026",
            aliases=("bend",),
        ),
        Component(
            kind="augmenter",
            name="widen",
            config="acme_frozen.config:Widen",
            implementation="acme_frozen.parts:WidenAugmenter",
            summary="Noise at the end.",
            deprecated="",
        ),
        Component(
            kind="dataset",
            name="lattice",
            config="acme_frozen.config:Lattice",
            implementation="acme_frozen.parts:LatticeDataset",
            summary="A lattice.",
        ),
        Component(
            kind="objective",
            name="tempered",
            config="acme_frozen.config:Tempered",
            implementation="acme_frozen.parts:TemperedObjective",
            summary="A power of the likelihood.",
        ),
        Recipe(name="frozen/lattice", file="acme_frozen:recipes/lattice.yaml", summary="A lattice.", source="Doe 2026"),
    ]


@hookimpl
def diffeo_commands():
    return {"frozen": "acme_frozen.commands:frozen"}


def _log(run, line):
    with (run.path / "frozen.log").open("a") as file:
        file.write(f"{line}\n")


@hookimpl
def diffeo_run_started(run):
    _log(run, f"started at {run.step} of {run.spec.trainer.steps}")


@hookimpl
def diffeo_step_done(step, metrics):
    assert step >= 0
    assert all(isinstance(value, float) for value in metrics.values()), metrics


@hookimpl
def diffeo_checkpoint_saved(run, step, path):
    assert (path / "model.safetensors").is_file()
    _log(run, f"saved {step}")


@hookimpl
def diffeo_run_ended(run, outcome):
    _log(run, f"ended {outcome}")
