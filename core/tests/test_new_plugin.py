"""``diffeo new-plugin``: what it writes is whole, what it is given wrong costs one line and leaves nothing."""

import ast
import os
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from diffeo import cli
from diffeo.commands.plugin_files import BOUNDS, STARTS, render_package
from diffeo.commands.plugin_names import class_of

KINDS = sorted(STARTS)
CORE = Path(__file__).parents[1]


@pytest.fixture
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def new_plugin(folder, capsys):
    """Runs the command; its status and what it said."""

    def run(*arguments):
        status = cli.run(["new-plugin", *arguments])
        said = capsys.readouterr()
        return status, said.out, said.err

    return run


def written(folder):
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


@pytest.mark.parametrize("kind", KINDS)
def test_it_writes_a_whole_package_and_says_what_to_do_next(folder, new_plugin, kind):
    name = STARTS[kind].name
    status, out, err = new_plugin("acme-flows", "--kind", kind)
    assert (status, err) == (0, "")
    assert out.splitlines()[0].startswith("wrote acme-flows: ")
    assert out.splitlines()[2:] == ["pip install -e 'acme-flows[test]'", f"diffeo show {name}", "pytest acme-flows"]
    assert {path.name for path in folder.iterdir()} == {"acme-flows"}
    files = {path for path in written(folder / "acme-flows") if (folder / "acme-flows" / path).is_file()}
    own = {f"tests/test_{name}.py"} if STARTS[kind].has_own_test else set()
    assert (
        files
        == {
            ".github/workflows/test.yml",
            ".gitignore",
            "LICENSE",
            "README.md",
            "acme_flows/__init__.py",
            "acme_flows/config.py",
            "acme_flows/plugin.py",
            "acme_flows/py.typed",
            f"acme_flows/{name}.py",
            "pyproject.toml",
            "tests/test_conformance.py",
        }
        | own
    )


def test_the_default_is_a_bijector(folder, new_plugin):
    assert new_plugin("acme-flows")[0] == 0
    assert (folder / "acme-flows/acme_flows/sinh_asinh.py").is_file()


def test_name_and_place_are_the_users(folder, new_plugin):
    status, out, _ = new_plugin("acme-flows", "--kind", "network", "--name", "wide_net", "--out", "some where")
    assert status == 0
    assert out.splitlines()[2:] == ["pip install -e 'some where[test]'", "diffeo show wide_net", "pytest 'some where'"]
    assert "class WideNetNetwork(diffeo.Network):" in (folder / "some where/acme_flows/wide_net.py").read_text()
    assert 'name="wide_net"' in (folder / "some where/acme_flows/plugin.py").read_text()


@pytest.mark.parametrize("kind", KINDS)
def test_no_other_name_is_left_from_the_example(kind):
    files = render_package("other-package", STARTS[kind], "quite_another")
    text = "\n".join([*files, *files.values()])
    assert "{{" not in text.replace("${{ matrix.python }}", "")
    example = STARTS[kind].name
    assert not [form for form in (f'"{example}"', f"`{example}`", class_of(example)) if form in text]


@pytest.mark.parametrize("kind", KINDS)
def test_files_end_with_one_newline_and_lines_fit(kind):
    for path, text in render_package("acme-flows", STARTS[kind], STARTS[kind].name).items():
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), path
        assert max((len(line) for line in text.splitlines()), default=0) <= 120 or path == "README.md", path


@pytest.mark.parametrize("kind", KINDS)
def test_it_declares_what_it_imports_in_the_ranges_of_the_core(kind):
    files = render_package("acme-flows", STARTS[kind], STARTS[kind].name)
    project = tomllib.loads(files["pyproject.toml"])["project"]
    assert project["entry-points"] == {"diffeo.plugins": {"acme_flows": "acme_flows.plugin"}}
    ours = "diffeo-registry>=0.1,<0.2"
    assert set(project["dependencies"]) >= {ours, ours.replace("-registry", "")}
    imported = {
        name.partition(".")[0].replace("_", "-")
        for path, text in files.items()
        if path.startswith("acme_flows/") and path.endswith(".py")
        for name in imports(text)
    }
    declared = {line.partition(">")[0] for line in project["dependencies"]}
    assert imported - set(sys.stdlib_module_names) - {"acme-flows"} == declared


def test_bounds_are_those_of_the_core():
    declared = tomllib.loads((CORE / "pyproject.toml").read_text())["project"]["dependencies"]
    assert {name + bound for name, bound in BOUNDS.items()} <= set(declared)


@pytest.mark.parametrize("kind", KINDS)
def test_manifest_and_config_import_no_torch(kind):
    files = render_package("acme-flows", STARTS[kind], STARTS[kind].name)
    assert set(imports(files["acme_flows/plugin.py"])) == {"diffeo_registry"}
    assert set(imports(files["acme_flows/config.py"])) == {"attrs", "diffeo_registry"}
    assert set(imports(files["acme_flows/__init__.py"])) == {"acme_flows.config"}


def test_the_test_has_five_lines():
    text = render_package("acme-flows", STARTS["bijector"], "leaky")["tests/test_conformance.py"]
    assert [line for line in text.splitlines() if line] == [
        "import pytest",
        "from diffeo.testing import conformance",
        '@pytest.mark.parametrize("check", conformance("acme-flows"), ids=str)',
        "def test_conformance(check):",
        "    check()",
    ]


WRONG = [
    ("Acme_Flows", "small letters, digits and single hyphens; got 'Acme_Flows'; did you mean 'acme-flows'?"),
    ("acme--flows", "did you mean 'acme-flows'?"),
    ("../acme", "small letters"),
    ("2fast", "small letters, digits and single hyphens; got '2fast'"),
    ("", "small letters"),
    ("importlib", "not taken; got 'importlib': importlib is a module of Python's own"),
    ("import", "not taken; got 'import': import is a word of the Python language"),
    ("torch", "not taken; got 'torch': torch is installed"),
    ("scikit-learn", "scikit_learn is installed"),
    ("mpl-toolkits", "mpl_toolkits is installed"),
    ("diffeo", "diffeo is installed"),
    ("diffeo-bijectors", "diffeo-bijectors is a package of diffeo"),
    ("tests", "stand in a folder of that name"),
    ("acme-flows --kind bijektor", "--kind: expected bijector, augmenter, objective, network, dataset or target; got"
     " 'bijektor'; did you mean 'bijector'?"),
    ("acme-flows --kind evaluator", "--kind: expected bijector, "),
    ("acme-flows --name LeakyMap", "--name: expected small letters, digits and single underscores; got 'LeakyMap'; did"
     " you mean 'leaky_map'?"),
    ("acme-flows --name class", "--name: expected a name that is not taken; got 'class': class is a word of the Python"),
    ("acme-flows --name plugin", "got 'plugin': the package needs it for something else"),
    ("acme-flows --name value_error", "got 'value_error': the package needs it"),
    ("acme-flows --name tensor", "got 'tensor': the package needs it"),
    ("acme-flows --name chain", "got 'chain': diffeo brings a component of that name"),
    ("acme-flows --name coupling", "got 'coupling': diffeo-bijectors brings a component of that name"),
    ("acme-flows --name elongate", "brings a component of that name"),
    ("acme-flows --out there", "there: expected a folder that does not exist yet; got one that does"),
    ("acme-flows --out nowhere/acme", "nowhere/acme: expected a place in a folder that exists; got no folder nowhere"),
    ("acme-flows --out file/acme", "file/acme: expected a place in a folder that exists; got no folder file"),
    ("acme-flows --out dangling", "dangling: expected a folder that does not exist yet"),
    ("acme-" + 300 * "a", "expected a place that can be written to; got: File name too long"),
    ("acme-flows --kin bijector", "new-plugin: "),
]  # fmt: skip


@pytest.mark.parametrize(("line", "message"), WRONG, ids=lambda value: value[:40])
def test_bad_input_costs_one_line_and_leaves_nothing(folder, new_plugin, line, message):
    (folder / "there").mkdir()
    (folder / "file").touch()
    (folder / "dangling").symlink_to("nowhere")
    before = written(folder)
    package, *options = line.split(" ")
    status, out, err = new_plugin(package, *options)
    assert status == 2
    assert message in err
    assert (out, err.count("\n")) == ("", 1)
    assert written(folder) == before


def test_a_disk_that_is_full_leaves_nothing(folder, new_plugin, monkeypatch):
    write, count = Path.write_text, []

    def fail(path, text, **options):
        count.append(path)
        if len(count) > 4:
            raise OSError(28, "No space left on device", str(path))
        return write(path, text, **options)

    monkeypatch.setattr(Path, "write_text", fail)
    status, _, err = new_plugin("acme-flows")
    assert (status, err) == (2, "acme-flows: expected a place that can be written to; got: No space left on device\n")
    assert written(folder) == set()


def test_a_folder_of_the_same_name_is_no_module(folder, new_plugin):
    (folder / "acme_flows").mkdir()
    assert new_plugin("acme-flows")[0] == 0


def test_it_works_without_torch(folder):
    code = """
import sys
sys.modules["torch"] = sys.modules["numpy"] = None
from diffeo.cli import run
sys.exit(run(["new-plugin", "acme-flows", "--kind", "dataset"]))
"""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("DIFFEO_")}
    done = subprocess.run([sys.executable, "-c", code], cwd=folder, env=environment, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr


def imports(text):
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module
