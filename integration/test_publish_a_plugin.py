"""``docs/howto/publish-a-plugin.md``, followed: files written, functions replaced, commands run, their output compared.

In an environment with the wheels of this repository. Where the page has ``...``, anything may stand; numbers with a fraction are
compared to a part in a thousand, those of a training to a tenth: their last digits depend on the machine.
"""

import os
import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGES = [ROOT / "registry", ROOT / "core", *sorted((ROOT / "plugins").iterdir())]
PAGE = ROOT / "docs/howto/publish-a-plugin.md"
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
NUMBER = re.compile(r"-?\d+\.\d+(?:e[-+]?\d+)?")
OFFLINE = {"PIP_NO_INDEX": "1", "PIP_NO_BUILD_ISOLATION": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
"""Every requirement is met by what is installed. (0 is how pip spells "no isolation" in a variable that begins with NO.)"""

LONG = ("pytest", "python -m build", "diffeo train", "diffeo sample")
"""What is left to the long matrix: the rest is the page's story, the kit that finds a wrong log-det."""


class Reader:
    """Somebody who does what the page says."""

    def __init__(self, environment, folder: Path) -> None:
        self.python = environment.python
        self.folder = folder
        hidden = ("DIFFEO_", "PYTHON", "PIP_")
        kept = {key: value for key, value in os.environ.items() if not key.startswith(hidden)}
        self.environment = kept | OFFLINE | {"VIRTUAL_ENV": str(environment.folder), "COLUMNS": "200"}

    def write(self, name: str, text: str) -> None:
        (self.folder / ("acme-flows" if name.endswith(".py") else "") / name).write_text(text)

    def replace(self, name: str, text: str) -> None:
        """Put a function in the place of the one with its name."""
        path = self.folder / "acme-flows" / name
        function = re.search(r"^def \w+\(", text, re.MULTILINE)
        assert function is not None
        old = re.compile(rf"^{re.escape(function[0])}.*?(?=\n\n\n)", re.DOTALL | re.MULTILINE)
        changed, count = old.subn(lambda _: text[function.start() :].rstrip(), path.read_text())
        assert count == 1, f"{name} has {count} functions that begin with {function[0]}"
        path.write_text(changed)

    def run(self, command: str) -> subprocess.CompletedProcess[str]:
        """A command of the page, with the programs of the environment."""
        program, *rest = shlex.split(command)
        if command.startswith("python -m build"):
            rest.append("--no-isolation")  # it would fetch hatchling
        start = [self.python] if program == "python" else [self.python, "-m", program]
        return subprocess.run(
            [*start, *rest], cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )


@pytest.fixture(scope="module")
def environment(environment_with):
    return environment_with(PACKAGES)


@pytest.mark.parametrize("everything", [False, pytest.param(True, marks=pytest.mark.long)], ids=["essence", "letter"])
def test_the_page_is_true(environment, tmp_path, everything):
    reader = Reader(environment, tmp_path)
    done = [command for block in BLOCKS for command in follow(reader, *block, everything=everything)]
    assert sum(command.startswith("diffeo conform") for command in done) >= 2
    environment.pip("uninstall", "--quiet", "--yes", "acme-flows")


def follow(reader: Reader, language: str, text: str, *, everything: bool) -> Iterator[str]:
    """Do what one block says; its commands."""
    heading = re.match(r"# ([\w./]+)(, instead)?\n", text)
    if language == "console":
        for command, output in commands(text):
            if everything or not command.startswith(LONG):
                check(reader, command, output)
                yield command
    elif heading is not None and heading[2]:
        reader.replace(heading[1], text)
    elif heading is not None:
        reader.write(heading[1], text.removeprefix(heading[0]) if language == "python" else text)


def commands(text: str) -> Iterator[tuple[str, list[str]]]:
    """(command, the lines it printed) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *output = part.rstrip().split("\n")
        yield command, output


def check(reader: Reader, command: str, output: list[str]) -> None:
    done = reader.run(command)
    failing = bool(output) and "do not hold" in output[-1]
    assert done.returncode == int(failing), f"$ {command}\n{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
    if output:
        slack = 0.1 if command.startswith("diffeo train") else 1e-3
        same = agrees(output, done.stdout.rstrip().split("\n"), slack)
        assert same, "\n".join([f"$ {command}", "prints", done.stdout, "and in the page stands", *output])


def agrees(expected: list[str], said: list[str], slack: float) -> bool:
    """Whether lines are those expected, where ``...`` is any number of lines, or any end of one."""
    if not expected:
        return not said
    first, *rest = expected
    if first == "...":
        return any(agrees(rest, said[skipped:], slack) for skipped in range(len(said) + 1))
    return bool(said) and is_same(first, said[0], slack) and agrees(rest, said[1:], slack)


def is_same(expected: str, said: str, slack: float) -> bool:
    if expected.endswith(" ..."):
        expected = expected.removesuffix("...")
        return is_same(expected, said[: len(expected)], slack)
    if NUMBER.sub("#", expected) != NUMBER.sub("#", said):
        return False
    numbers = zip(NUMBER.findall(expected), NUMBER.findall(said), strict=True)
    return all(float(one) == pytest.approx(float(other), rel=slack) for one, other in numbers)


def test_comparison_finds_what_differs():
    assert agrees(["a 1.0001 b", "...", "z in ..."], ["a 1.0002 b", "c", "d", "z in 3 s"], 1e-3)
    assert not agrees(["a 1.01"], ["a 1.02"], 1e-3)
    assert not agrees(["a"], ["a", "b"], 1e-3)
    assert not agrees(["...", "b"], ["a"], 1e-3)
