"""The pages about ordered codes, followed: their commands run in order (training cut short), their sure outputs compared."""

import re
import shlex
from pathlib import Path

import pytest

from diffeo.cli import run

ROOT = Path(__file__).parents[1]
SHORT = ["--set", "trainer.steps=3", "--set", "evaluators=[]"]


def follow(command, output, capsys):
    """Run a command; what it says it wrote is sure, numbers are not."""
    program, *arguments = shlex.split(command)
    assert program == "diffeo"
    status = run([*arguments, *(SHORT if arguments[0] == "train" else [])])
    said = capsys.readouterr()
    assert status == 0, said.err
    assert [line for line in output if line.startswith("wrote")] == [
        line for line in said.out.splitlines() if line.startswith("wrote") and output
    ]


@pytest.mark.parametrize("page", ["docs/howto/use-ordered-codes.md", "plugins/nested-dropout/README.md"])
def test_every_command_works(page, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    done = set()
    for language, text in re.findall(r"```(\w+)\n(.*?)```", (ROOT / page).read_text(encoding="utf-8"), re.DOTALL):
        if language == "yaml":
            Path("spec.yaml").write_text(text)
        elif language == "python":
            exec(compile(text, page, "exec"), {})
            capsys.readouterr()
        elif language == "console":
            for part in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
                command, *output = part.rstrip().split("\n")
                follow(command, output, capsys)
                done.add(command.split()[1])
    assert {"train", "encode", "decode"} <= done
