import json
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from diffeo import __version__, cli
from diffeo.commands.output import print_table
from diffeo.commands.show import show
from diffeo_registry import Component, Kind, Registry

PLUGIN = str(Path(__file__).parent / "plugin")

MODULES = 300
"""More than --help and the listings of the core import today (about 270, a hundred of them Python's own)."""

WITHOUT_TORCH = """
import sys
before = set(sys.modules)
sys.modules["torch"] = sys.modules["numpy"] = None
from diffeo.cli import run
status = run(sys.argv[1:])
print(len(set(sys.modules) - before), file=sys.stderr)
sys.exit(status)
"""


def bare(*arguments, cwd=None):
    """A command line in an interpreter that cannot import torch or numpy, with the core and the test plugin alone."""
    environment = os.environ | {"PYTHONPATH": PLUGIN, "DIFFEO_DISABLE": "diffeo-bijectors,diffeo-data"}
    command = [sys.executable, "-c", WITHOUT_TORCH, *arguments]
    return subprocess.run(command, capture_output=True, text=True, env=environment, check=False, cwd=cwd)


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["list"],
        ["list", "bijectors"],
        ["list", "--plugins"],
        ["list", "--json"],
        ["show", "stretch"],
        ["show", "trainer"],
        ["schema"],
        ["recipes"],
    ],
    ids=" ".join,
)
def test_looking_around_needs_no_torch_and_few_modules(arguments):
    done = bare(*arguments)
    assert done.returncode == 0, done.stderr
    assert done.stdout
    assert int(done.stderr.splitlines()[-1]) <= MODULES
    assert "\x1b" not in done.stdout


def test_a_spec_is_validated_without_torch(tmp_path):
    (tmp_path / "spec.yaml").write_text("diffeo: 1\ndata: blob\nmodel: {flow: {stps: [sinh]}}\ntrainer: {steps: 0}\n")
    done = bare("check", "spec.yaml", cwd=tmp_path)
    assert done.returncode == 2
    assert done.stderr.splitlines()[:-1] == [
        "spec.yaml:3:16: model.flow.stps: unknown key; did you mean 'steps'?",
        "spec.yaml:4:18: trainer.steps: expected a value >= 1; got 0",
    ]


@pytest.fixture
def registry(monkeypatch):
    """Three packages; ``both`` exists in two of them, ``twin`` in two kinds that never meet."""

    def component(kind, name, config, **fields):
        return Component(
            kind=kind, name=name, config=f"acme_parts.config:{config}",
            implementation="acme_parts.parts:AppendAugmenter", summary=f"What {name} does.", **fields,
        )  # fmt: skip

    kinds = [
        Kind(name=name, plural=f"{name}s", protocol="a:B", built_with=("shape",), summary="")
        for name in ("bijector", "network")
    ]
    found = Registry.from_records(
        {
            "core": [*kinds, component("bijector", "both", "Sinh"), component("bijector", "twin", "Fold")],
            "acme-one": [
                component("bijector", "both", "Stretch"),
                component("network", "twin", "Append", source="Doe 2020"),
            ],
            "acme-two": [component("bijector", "old", "Lift", deprecated="write both")],
        }
    )
    for module in ("diffeo.commands.listing", "diffeo.commands.show", "diffeo.cli"):
        monkeypatch.setattr(f"{module}.installed", lambda: found)
    return found


def lines(capsys, *arguments, status=0):
    assert cli.run(arguments) == status
    out, err = capsys.readouterr()
    return (err if status else out).splitlines()


def test_a_list_is_grouped_by_kind(registry, capsys):
    assert lines(capsys, "list")[:6] == [
        "bijectors",
        "  both  What both does.",
        "  both  What both does.",
        "  old   What old does. [deprecated: write both]",
        "  twin  What twin does.",
        "",
    ]


@pytest.mark.parametrize("kind", ["network", "networks", "Networks"])
def test_a_kind_is_listed_with_packages_and_papers(kind, registry, capsys):
    assert [line.split() for line in lines(capsys, "list", kind)] == [
        ["name", "version", "package", "summary", "source"],
        ["twin", "1", "acme-one", "What", "twin", "does.", "Doe", "2020"],
    ]


def test_a_narrow_terminal_breaks_lines_and_cuts_nothing_off(monkeypatch, capsys):
    monkeypatch.setenv("COLUMNS", "40")
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    print_table(("name", "package"), [("a_name_that_takes_room", "x" * 70)])
    assert "".join(capsys.readouterr().out.split()).count("x") == 70


def test_a_list_for_programs(registry, capsys):
    rows = json.loads("\n".join(lines(capsys, "list", "bijectors", "--json")))
    assert {(row["package"], row["name"]) for row in rows} == {
        ("core", "both"),
        ("core", "twin"),
        ("acme-one", "both"),
        ("acme-two", "old"),
    }
    assert next(row for row in rows if row["name"] == "old")["remark"] == "deprecated: write both"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["list", "netwroks"], "no kind named 'netwroks'; did you mean 'networks'?"),
        (["list", "xyz"], "no kind named 'xyz'; there are bijector, network"),
        (
            ["list", "networks", "--plugins"],
            "diffeo list: expected a KIND or --plugins; got both (see diffeo list --help)",
        ),
        (["show", "bothh"], "no component named 'bothh'; did you mean 'both'?"),
        (["show", "network/both"], "'both' is a bijector; expected a network"),
        (["shw"], "diffeo: No such command 'shw'. (see diffeo --help)"),
        (["show"], "diffeo show: Missing argument '[KIND/]NAME'. (see diffeo show --help)"),
    ],
)
def test_what_is_not_there_is_one_line(arguments, message, registry, capsys):
    (line,) = lines(capsys, *arguments, status=2)
    assert line.startswith(message)


def test_a_name_of_two_packages_asks_which(registry, capsys):
    (line,) = lines(capsys, "show", "both", status=2)
    assert "'both' is registered by acme-one and core; write acme-one/both or core/both" in line
    assert lines(capsys, "show", "acme-one/both")[0] == "both (bijector): What both does."


def test_show_tells_fields_paper_and_place(registry, capsys):
    text = lines(capsys, "show", "network/twin")
    assert text[:2] == ["twin (network): What twin does.", "Appends Gaussian noise whose mean is the sum of x."]
    assert [line.split() for line in text[3:7]] == [
        ["field", "type", "default", "help"],
        ["extra", "integer,", ">=", "1", "1", "Entries", "to", "append."],
        ["handed", "boolean", "false", "Ask", "diffeo", "for", "the", "noise."],
        ["drawn", "boolean", "false", "Take", "the", "noise", "from", "a", "diagonal", "normal."],
    ]
    facts = dict(line.split(":", 1) for line in text[8:])
    assert facts["name"].strip() == "acme-one/twin@1"
    assert facts["source"].strip() == "Doe 2020"
    assert facts["built with"].strip() == "config, shape"
    for fact, word in (("config", "class Append:"), ("implementation", "class AppendAugmenter(Augmenter):")):
        file, _, line = facts[fact].strip().rpartition(":")
        assert Path(file).read_text().splitlines()[int(line) - 1] == word


def test_show_tells_both_where_a_name_is_in_two_kinds(registry, capsys):
    text = lines(capsys, "show", "twin")
    assert {line for line in text if line.startswith("twin (")} == {
        "twin (bijector): What twin does.",
        "twin (network): What twin does.",
    }


def test_the_sections_of_a_spec_are_shown(capsys):
    assert any(line.split()[:4] == ["batch_size", "integer,", ">=", "1"] for line in lines(capsys, "show", "trainer"))
    assert any(line.split()[:3] == ["diffeo", "integer,", "1"] for line in lines(capsys, "show", "spec"))


def test_the_schema_is_json_and_names_what_is_installed(capsys):
    schema = json.loads("\n".join(lines(capsys, "schema")))
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert set(schema["required"]) == {"diffeo", "data", "model"}
    assert '"stretch"' in json.dumps(schema)


def test_the_version(capsys):
    assert lines(capsys, "--version") == [f"diffeo {__version__}"]


@click.command()
@click.option("--debug/--quiet", default=False)
def hello(debug):
    """Say hello."""
    click.echo("hello")


def test_a_plugin_adds_commands_but_does_not_replace_ours(monkeypatch, capsys):
    commands = {"hello": f"{__name__}:hello", "show": f"{__name__}:hello", "lost": "nosuch.module:command"}
    monkeypatch.setattr("diffeo.cli.installed", lambda: type("R", (), {"commands": commands}))
    monkeypatch.setitem(sys.modules, __name__, sys.modules[hello.callback.__module__])
    assert lines(capsys, "hello") == ["hello"]
    assert cli._diffeo.get_command(click.Context(cli._diffeo), "show") is show
    (line,) = lines(capsys, "lost", status=2)
    assert line.startswith("command 'lost', nosuch.module:command, could not be imported: ")
    assert "  lost        From nosuch." in lines(capsys, "--help")
