"""Plugins as installed packages: whatever one of them does wrong, the others work and its error is told."""

import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from diffeo_registry import Registry, handshake, run_hooks
from diffeo_registry.discovery import Plugin, discover

Install = Callable[..., Path]
Lines = Callable[[Callable[[], Any]], list[str]]

GOOD = """
from diffeo_registry import Component, hookimpl

@hookimpl
def diffeo_components():
    return [Component(kind="bijector", name="{name}", config="{config}", implementation="torch_x:Y", summary="Toy.")]
"""


def good(name: str, config: str = "diffeo_toys:Affine") -> str:
    return GOOD.format(name=name, config=config)


def found(folder: Path, *disabled: str) -> list[Plugin]:
    return list(Registry(discover(disabled, path=[str(folder)])).plugins)


def test_five_plugins(install: Install) -> None:
    folder = Path()
    for index in range(4):
        folder = install(f"Acme.Flows_{index}", good(f"b{index}"))
    folder = install("Acme.Flows_0", good("second", "diffeo_toys:Spline"), plugin="second")
    registry = Registry(discover(path=[str(folder)]))
    assert [(one.package, one.name) for one in registry.plugins] == [
        ("acme-flows-0", "main"),
        ("acme-flows-0", "second"),
        ("acme-flows-1", "main"),
        ("acme-flows-2", "main"),
        ("acme-flows-3", "main"),
    ]
    assert registry.broken == ()
    assert [one.qualified for one in registry.components] == [
        *[f"acme-flows-{index}/b{index}@1" for index in range(4)],
        "acme-flows-0/second@1",
    ]
    assert {one.package_version for one in registry.components} == {"1.2"}


BROKEN = {
    "raises at import": ("raise RuntimeError('first line\\nsecond')", "RuntimeError: first line second"),
    "imports what is not there": ("import nowhere", "ModuleNotFoundError: No module named 'nowhere'"),
    "exits at import": ("import sys; sys.exit('no licence')", "SystemExit: no licence"),
    "is not Python": ("def", "SyntaxError: "),
    "raises in its hook": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_components():
            raise KeyError("x")
        """,
        "KeyError: 'x'",
    ),
    "has a misspelt hook": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_component():
            return []
        """,
        "it implements an unknown hook 'diffeo_component'; did you mean 'diffeo_components'?; this diffeo-registry has "
        "plugin API 1; a newer one may know it: pip install -U diffeo-registry",
    ),
    "has a hook with a wrong argument": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_step_done(run, steps):
            pass
        """,
        "Argument(s) {'steps'} are declared in the hookimpl but can not be found in the hookspec",
    ),
    "has no hook": (
        "def diffeo_components():\n    return []\n",
        "it implements no hook; mark its functions with @diffeo_registry.hookimpl",
    ),
    "needs a newer API": (
        f"PLUGIN_API = 2\n{good('x')}",
        "it needs plugin API 2; this diffeo-registry has 1: pip install -U diffeo-registry",
    ),
    "has an API that is no number": ("PLUGIN_API = 'x'\n", "expected PLUGIN_API as an integer >= 1; got 'x'"),
    "has an API that is true": (f"PLUGIN_API = True\n{good('x')}", "expected PLUGIN_API as an integer >= 1; got true"),
    "has no API": (f"PLUGIN_API = 0\n{good('x')}", "expected PLUGIN_API as an integer >= 1; got 0"),
    "has a hook of a newer API": (
        f"""{good("x")}
@hookimpl
def diffeo_report_written(run, path):
    pass
""",
        "it implements an unknown hook 'diffeo_report_written'; this diffeo-registry has plugin API 1; a newer one may",
    ),
    "has a record of a newer API": (
        "from diffeo_registry import Gallery",
        "this diffeo-registry has plugin API 1; a newer one may know it: pip install -U diffeo-registry",
    ),
    "has a field of a newer API": (
        good("x").replace("summary=", "gallery='x', summary="),
        "Component has no field 'gallery'; this diffeo-registry has plugin API 1; a newer one may know it",
    ),
    "returns nothing": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_components():
            pass
        """,
        "TypeError: expected diffeo_components to return a list of records; got null",
    ),
    "returns no record": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_components():
            return ["coupling"]
        """,
        "TypeError: expected a Component, Kind or Recipe from diffeo_components; got 'coupling'",
    ),
    "has a summary that is no text": (
        good("x").replace("summary='Toy.'", "summary=None").replace('summary="Toy."', "summary=None"),
        "TypeError: expected summary as a string; got None",
    ),
    "has a bad record": (
        good("a-b"),
        "ValueError: expected name of letters, digits and underscores; got 'a-b'",
    ),
    "has a bad reference": (
        good("x", "diffeo_toys.Affine"),
        "ValueError: expected config as 'package.module:Class'; got 'diffeo_toys.Affine'",
    ),
    "returns bad commands": (
        """
        from diffeo_registry import hookimpl
        @hookimpl
        def diffeo_commands():
            return {"slim": 3}
        """,
        "TypeError: expected a command as name: 'package.module:command'; got {'slim': 3}",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_plugin_does_not_hurt_the_others(install: Install, lines: Lines, case: str) -> None:
    source, error = BROKEN[case]
    install("healthy", good("fine"))
    folder = install("acme", source)
    registry = Registry(discover(path=[str(folder)]))
    (broken,) = registry.broken
    assert broken.package == "acme"
    assert error in broken.error
    assert len(broken.error.splitlines()) == 1
    assert registry.find("fine", "bijector").package == "healthy"
    (line,) = lines(lambda: registry.find("planar", "bijector"))
    assert f"plugin 'main' of acme could not be loaded: {broken.error}; see diffeo list --plugins" in line


def test_an_old_plugin(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(handshake, "PLUGIN_API", 3)
    monkeypatch.setattr(handshake, "OLDEST_API", 2)
    install("acme", f"PLUGIN_API = 1\n{good('x')}")
    install("bravo", f"PLUGIN_API = 2\n{good('y', 'diffeo_toys:Spline')}")
    folder = install("charlie", good("z", "diffeo_toys:Coupling"))
    assert [one.error for one in found(folder)] == [
        "it was written for plugin API 1; this diffeo-registry supports 2 to 3: pip install -U acme",
        "",
        "",
    ]


def test_what_a_plugin_prints_is_not_output(install: Install, capsys: pytest.CaptureFixture[str]) -> None:
    source = good("x").replace("    return", "    print('in its hook')\n    return")
    (plugin,) = found(install("acme", f"print('at import')\n{source}"))
    assert not plugin.error
    assert capsys.readouterr() == ("", "at import\nin its hook\n")


def test_listing_imports_no_config(install: Install) -> None:
    folder = install("acme", good("fine", "nowhere.config:Fine"))
    registry = Registry(discover(path=[str(folder)]))
    assert registry.broken == ()
    assert [(one.name, registry.remark(one)) for one in registry.of_kind("bijector")] == [
        ("fine", "kind 'bijector' is unknown; no installed plugin declares it")
    ]


def test_interrupting_is_not_a_broken_plugin(install: Install) -> None:
    folder = install("acme", "raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        found(folder)


@pytest.mark.parametrize(
    ("records", "error"),
    [
        (
            [("bijector", "a", "Affine", 1), ("bijector", "a", "Spline", 1)],
            "it registers bijector a@1 twice",
        ),
        (
            [("bijector", "a", "Affine", 1), ("bijector", "a", "Affine", 2)],
            "it gives a@1 and a@2 the same config diffeo_toys:Affine; each needs a class of its own",
        ),
    ],
)
def test_a_plugin_that_contradicts_itself(install: Install, records: Any, error: str) -> None:
    texts = [
        f"Component(kind={kind!r}, name={name!r}, config='diffeo_toys:{config}', implementation='x:Y', summary='', "
        f"version={version})"
        for kind, name, config, version in records
    ]
    source = "from diffeo_registry import Component, hookimpl\n@hookimpl\ndef diffeo_components():\n    return ["
    folder = install("acme", f"{source}{', '.join(texts)}]\n")
    assert [one.error for one in found(folder)] == [error]


def test_two_plugins_of_one_package_with_one_name(install: Install) -> None:
    install("acme", good("a"))
    folder = install("acme", good("a", "diffeo_toys:Spline"), plugin="other")
    assert [one.error for one in found(folder)] == ["", "it registers bijector a@1 twice"]


def test_kinds_and_commands_belong_to_the_first(install: Install) -> None:
    source = """
        from diffeo_registry import Kind, hookimpl
        @hookimpl
        def diffeo_components():
            return [Kind(name="order", plural="{plural}", protocol="a:B", summary="")]
        @hookimpl
        def diffeo_commands():
            return {{"{command}": "a:b"}}
    """
    install("acme", source.format(plural="orders", command="slim"))
    install("bravo", source.format(plural="orders", command="other"))
    install("charlie", source.format(plural="ordres", command="third"))
    folder = install("delta", source.format(plural="orders", command="slim"))
    registry = Registry(discover(path=[str(folder)]))
    assert [one.error for one in registry.plugins] == [
        "",
        "",
        "it declares kind 'order', which acme declares differently",
        "it adds command 'slim', which acme adds too",
    ]
    assert registry.commands == {"slim": "a:b", "other": "a:b"}


def test_disabled_packages_are_not_imported(install: Install, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = install("acme-flows", "raise SystemExit")
    (plugin,) = found(folder, "Acme_Flows")
    assert (plugin.disabled, plugin.error, plugin.records) == (True, "", ())
    assert "acme_flows_main" not in sys.modules


def test_entry_points_that_cannot_be_read(install: Install) -> None:
    install("healthy", good("fine"))
    folder = install("acme", "", entry_points="[diffeo.plugins]\nno equals sign\n")
    broken, healthy = found(folder)
    assert broken.error.startswith("its entry_points.txt cannot be read: ")
    assert not healthy.error


def test_a_slow_plugin_can_be_found(install: Install) -> None:
    install("healthy", good("fine"))
    folder = install("slow", f"import time; time.sleep(0.2)\n{good('late')}")
    started = time.perf_counter()
    healthy, slow = found(folder)
    assert time.perf_counter() - started >= slow.seconds >= 0.2
    assert not healthy.error
    assert not slow.error


def test_run_hooks_alone_make_a_plugin(install: Install) -> None:
    source = """
        from diffeo_registry import hookimpl
        seen = []
        @hookimpl
        def diffeo_step_done(run, step, metrics):
            seen.append((run, step, metrics))
    """
    install("healthy", good("fine"))
    folder = install("tracker", source)
    registry = Registry(discover(path=[str(folder)]))
    assert registry.broken == ()
    (module,) = registry.run_plugins
    run_hooks([*registry.run_plugins, module]).hook.diffeo_step_done(run="r", step=3, metrics={"loss": 1.0})
    assert module.seen == [("r", 3, {"loss": 1.0})]


def test_the_first_of_two_copies_on_the_path_counts(install: Install, tmp_path: Path) -> None:
    folder = install("acme", good("a"))
    other = tmp_path / "other" / "acme-0.9.dist-info"
    other.mkdir(parents=True)
    (other / "METADATA").write_text("Metadata-Version: 2.1\nName: acme\nVersion: 0.9\n")
    (other / "entry_points.txt").write_text("[diffeo.plugins]\nmain = acme_main\n")
    plugins = discover(path=[str(folder), str(other.parent)])
    assert [one.package_version for one in plugins] == ["1.2"]
