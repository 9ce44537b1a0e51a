"""Listing, with plugins installed that are broken in every way, slow or in conflict, stays correct and does each work once."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

SLEEP = 1.2
"""Seconds, above the limit from which a slow plugin is named."""

GOOD = """
from diffeo_registry import Component, hookimpl

@hookimpl
def diffeo_components():
    return [Component(kind="bijector", name="{name}", config="nowhere.config:X", implementation="nowhere:Y", summary="S.")]
"""

PLUGINS = {
    "acme-raises": "raise RuntimeError('it broke')",
    "acme-exits": "raise SystemExit(3)",
    "acme-misses": "import a_module_that_is_not_there",
    "acme-garbage": """
from diffeo_registry import hookimpl

@hookimpl
def diffeo_components():
    return {"coupling": object()}
""",
    "acme-slow": f"import time\ntime.sleep({SLEEP})\n{GOOD.format(name='late')}",
    "acme-clash": GOOD.format(name="chain"),
    "acme-prints": f"print('[')\n{GOOD.format(name='loud')}",
}

ERRORS = {
    "acme-raises": "RuntimeError: it broke",
    "acme-exits": "SystemExit: 3",
    "acme-misses": "ModuleNotFoundError: No module named 'a_module_that_is_not_there'",
    "acme-garbage": "TypeError: expected diffeo_components to return a list of records; got {'coupling': <object object at",
}

SEVERAL = """
import contextlib, io, json, sys
from diffeo.cli import run
results = []
for arguments in json.loads(sys.argv[1]):
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = run(arguments)
    results.append([status, out.getvalue(), err.getvalue()])
assert "torch" not in sys.modules and "numpy" not in sys.modules
print(json.dumps(results))
"""

SPEC = "diffeo: 1\ndata: blob\nmodel: {flow: {steps: [chain]}}\n"


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """A folder with these plugins installed; each writes a line to ``imports`` when it is imported."""
    folder = tmp_path_factory.mktemp("site")
    for package, source in PLUGINS.items():
        module = package.replace("-", "_")
        mark = f"open({str(folder / 'imports')!r}, 'a').write('{module}\\n')\n"
        (folder / f"{module}.py").write_text(mark + source)
        info = folder / f"{module}-1.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        (info / "entry_points.txt").write_text(f"[diffeo.plugins]\nmain = {module}\n")
    return folder


@pytest.fixture(scope="module")
def started(site):
    """Runs Python with these plugins and those of this repository."""

    def start(*arguments, disable=""):
        path = os.pathsep.join([str(site), str(Path(__file__).parent / "plugin")])
        environment = os.environ | {"PYTHONPATH": path, "DIFFEO_DISABLE": disable}
        return subprocess.run(
            [sys.executable, *arguments], capture_output=True, text=True, env=environment, check=False, cwd=site
        )

    return start


@pytest.fixture(scope="module")
def healthy(started):
    """The components without these plugins."""
    done = started("-m", "diffeo", "list", "--json", disable=",".join(PLUGINS))
    assert done.returncode == 0, done.stderr
    assert not done.stderr
    return json.loads(done.stdout)


def test_the_list_is_whole_and_clean(site, started, healthy):
    (site / "imports").write_text("")
    done = started("-m", "diffeo", "list", "--json")
    assert done.returncode == 0, done.stderr
    listed = json.loads(done.stdout)  # the plugin that prints has not spoilt it
    assert [
        row for row in listed if not row["package"].startswith("acme-") or row["package"] == "acme-parts"
    ] == healthy
    assert {row["name"] for row in listed if row["package"] in PLUGINS} == {"late", "chain", "loud"}

    lines = done.stderr.splitlines()
    for package, error in ERRORS.items():
        (line,) = [line for line in lines if package in line]
        assert line.startswith(f"warning: plugin 'main' of {package} could not be loaded: {error}")
    (line,) = [line for line in lines if "acme-slow" in line]
    assert line.startswith("warning: loading plugins took ")
    assert line.endswith(" s of it 'main' of acme-slow; DIFFEO_DISABLE=acme-slow leaves it out")

    assert sorted((site / "imports").read_text().split()) == sorted(name.replace("-", "_") for name in PLUGINS)


def test_looking_around(site, started):
    (site / "spec.yaml").write_text(SPEC)
    commands = [["list", "--plugins", "--json"], ["list"], ["show", "late"], ["schema"], ["check", "spec.yaml"]]
    done = started("-c", SEVERAL, json.dumps(commands))
    assert done.returncode == 0, done.stderr
    plugins, listing, show, schema, check = json.loads(done.stdout)

    rows = {row["package"]: row for row in json.loads(plugins[1]) if row["package"] in PLUGINS}
    assert {package for package, row in rows.items() if row["state"] == "broken"} == ERRORS.keys()
    assert all(rows[package]["error"].startswith(error) for package, error in ERRORS.items())
    assert rows["acme-slow"]["seconds"] >= SLEEP
    assert rows["acme-slow"]["state"] == "ok"
    assert "acme-slow" in plugins[2]

    assert listing[0] == 0
    assert {"late", "loud", "chain", "stretch"} <= {line.split()[0] for line in listing[1].splitlines() if line}
    assert show[0] == 2
    assert show[2].startswith("the config of acme-slow/late@1, nowhere.config:X, could not be imported: ")

    names = json.loads(schema[1])["$defs"]["slot.bijector.augmenter"]["anyOf"][0]["enum"]
    assert "stretch" in names
    assert "late" not in names  # a spec could not use it
    assert check[0] == 2
    assert check[2].splitlines() == [
        "spec.yaml:3:24: model.flow.steps[0]: 'chain' is registered by acme-clash and diffeo; write acme-clash/chain or "
        "diffeo/chain, or disable one: DIFFEO_DISABLE=acme-clash"
    ]


@pytest.mark.parametrize("disabled", ["acme-clash", "diffeo"])
def test_either_of_two_can_be_disabled(started, disabled):
    others = ",".join(set(PLUGINS) - {"acme-clash"})
    code = "from diffeo_registry import installed; print(installed().find('chain', 'bijector').package)"
    done = started("-c", code, disable=f"{others},{disabled}")
    assert done.stdout.strip() == {"acme-clash": "diffeo", "diffeo": "acme-clash"}[disabled], done.stderr
