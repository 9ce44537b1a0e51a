"""The tutorial, followed: its files are written, its commands run in order (training cut short), its sure outputs compared."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from diffeo.cli import run

TUTORIAL = Path(__file__).parents[1] / "docs" / "tutorial.md"
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", TUTORIAL.read_text(encoding="utf-8"), re.DOTALL)
SKIPPED = ("make ", "source ", "mkdir ", "cat ")
SHORT = ["--set", "trainer.steps=10"]


def commands(text):
    """(command, the lines it printed) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *output = part.rstrip().split("\n")
        yield command, output


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("tutorial")


def test_every_command_of_the_tutorial_works(folder, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    done = []
    for language, text in BLOCKS:
        if language in ("yaml", "python") and (name := re.match(r"# (\S+)\n", text)):
            Path(name[1]).write_text(text)
        elif language == "python":
            exec(compile(text, "tutorial.md", "exec"), {})
            capsys.readouterr()
        elif language == "console":
            for command, output in commands(text):
                if not command.startswith(SKIPPED):
                    follow(command, output, capsys)
                    done.append(command.split()[0:2])
    assert ["diffeo", "train"] in done
    assert ["diffeo", "sample"] in done


def follow(command, output, capsys):
    program, *arguments = shlex.split(command)
    if program == "python":
        subprocess.run([sys.executable, *arguments], check=True)
        return
    assert program == "diffeo"
    status = run([*arguments, *(SHORT if arguments[0] == "train" else [])])
    said = capsys.readouterr()
    if output and output[0].startswith("--set"):
        assert status == 2
        assert said.err.splitlines() == output
        return
    assert status == 0, said.err
    if arguments[0] == "check":
        for line in output:
            assert "..." in line or line.split() in [printed.split() for printed in said.out.splitlines()]
