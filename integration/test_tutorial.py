"""The tutorials, followed one after the other in one folder: files written, commands run (training cut short), outputs compared."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from diffeo.cli import run

DOCS = Path(__file__).parents[1] / "docs"
SKIPPED = ("make ", "source ", "mkdir ", "cat ", "pip ", "python ../")
STEPS = "trainer.steps=10"
MISTAKE = re.compile(r"--set |\S+:\d+:\d+: ")


def blocks(page):
    """(language, text) of every code block."""
    return re.findall(r"```(\w+)\n(.*?)```", (DOCS / page).read_text(encoding="utf-8"), re.DOTALL)


def commands(text):
    """(command, the lines it printed) of a console block."""
    for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        command, *output = part.rstrip().split("\n")
        yield command, output


@pytest.mark.filterwarnings("ignore:.*major refactor:FutureWarning")  # ArviZ announces its next version
@pytest.mark.filterwarnings("ignore:marginal_likelihood. Pareto k")  # after ten steps, rightly
def test_every_command_of_the_tutorials_works(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    first = follow_page("tutorial.md", capsys)
    assert first >= {"diffeo train", "diffeo sample", "python make_cells.py"}
    second = follow_page("tutorial-posterior.md", capsys)
    assert second >= {"diffeo train", "diffeo sample", "python make_tumours.py", "python schools.py"}


def follow_page(page, capsys):
    """The commands that ran."""
    done, names = set(), {}
    for language, text in blocks(page):
        if language in ("yaml", "python") and (name := re.match(r"# (\S+)\n", text)):
            assert not Path(name[1]).exists(), f"{page} writes {name[1]} a second time"
            Path(name[1]).write_text(re.sub(r"trainer\.steps=\d+", STEPS, text))
        elif language == "python":
            exec(compile(text, page, "exec"), names)
            capsys.readouterr()
        elif language == "console":
            for command, output in commands(text):
                if not command.startswith(SKIPPED):
                    follow(command, output, capsys)
                    done.add(" ".join(command.split()[0:2]))
    return done


def follow(command, output, capsys):
    program, *arguments = shlex.split(command)
    if program == "python":
        subprocess.run([sys.executable, *arguments], check=True)
        return
    assert program == "diffeo"
    status = run([*arguments, *(["--set", STEPS] if arguments[0] == "train" else [])])
    said = capsys.readouterr()
    if output and MISTAKE.match(output[0]):
        assert status == 2
        for line, printed in zip(output, said.err.splitlines(), strict=True):
            assert re.fullmatch(".*".join(map(re.escape, line.split("..."))), printed)
        return
    assert status == 0, said.err
    if arguments[0] == "check":
        for line in output:
            assert "..." in line or line.split() in [printed.split() for printed in said.out.splitlines()]
    if arguments[0] == "sample":
        assert not output or said.out.splitlines() == output
