"""The registry knows neither torch nor numpy, whatever is installed."""

import os
import subprocess
import sys

SCRIPT = """
import sys

class Blocker:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in ("torch", "numpy", "torchvision"):
            raise ImportError(f"{name} is blocked")

sys.meta_path.insert(0, Blocker())
import diffeo_registry
registry = diffeo_registry.installed()
assert registry is diffeo_registry.installed()
listing = [(one.qualified, one.component.summary, registry.remark(one)) for one in registry.components]
assert not registry.broken, registry.broken
for one in registry.components:
    diffeo_registry.describe(one, registry)
print(len(listing), [plugin.package for plugin in registry.plugins if plugin.disabled])
"""


def run(**environment: str) -> str:
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", SCRIPT],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_listing_and_describing_without_torch() -> None:
    count, _, disabled = run().partition(" ")
    assert int(count) >= 0
    assert disabled == "[]"


def test_packages_left_out_by_the_environment() -> None:
    everything = int(run().split()[0])
    packages = {one.split("/")[0] for one in _qualified()}
    for package in packages - {"diffeo"}:
        count, _, disabled = run(DIFFEO_DISABLE=f" {package.upper()},nothing ").partition(" ")
        assert int(count) == everything - sum(one.startswith(f"{package}/") for one in _qualified())
        assert disabled == f"['{package}']"


def _qualified() -> list[str]:
    import diffeo_registry

    return [one.qualified for one in diffeo_registry.installed().components]
