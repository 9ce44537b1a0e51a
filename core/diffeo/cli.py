"""The command line. Commands are imported when they are called: ``--help`` and the listings never import torch.

Exit status: 0; 1 for a run that failed; 2 for bad input, one line per problem on standard error; 130 and 143 after a signal.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, TextIO

import click

from diffeo import __version__
from diffeo_registry import DiffeoError, SpecError, installed
from diffeo_registry.registered import load_reference

__all__ = ["main", "run"]

_COMMANDS = {
    "train": ("diffeo.commands.train:train", "Train what a spec describes, or go on with a run."),
    "evaluate": ("diffeo.commands.evaluate:evaluate", "Run the evaluators of a run again."),
    "sample": ("diffeo.commands.sample:sample", "Draw from a trained model into a picture or a table."),
    "encode": ("diffeo.commands.encode:encode", "Turn data into codes, the first latents of a flow."),
    "decode": ("diffeo.commands.decode:decode", "Turn codes back into data."),
    "check": ("diffeo.commands.check:check", "Validate a spec and show the shape of every step."),
    "list": ("diffeo.commands.listing:listing", "What is installed, by kind."),
    "show": ("diffeo.commands.show:show", "The fields of a component, its paper and its source file."),
    "conform": ("diffeo.commands.conform:conform", "Hold a component, or all of a package, to the laws of its kind."),
    "new-plugin": ("diffeo.commands.new_plugin:new_plugin", "Write a plugin package with a component that works."),
    "schema": ("diffeo.commands.schema:schema", "A JSON Schema of specs with what is installed."),
    "recipes": ("diffeo.commands.recipes:recipes", "Complete specs that come with the packages."),
}
"""Name -> (where it is, what ``--help`` says without importing it)."""


class _LazyGroup(click.Group):
    """Commands by reference; those of plugins follow the ones of the core, which they cannot replace."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return [*_COMMANDS, *sorted(name for name in installed().commands if name not in _COMMANDS)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name in _COMMANDS:
            return load_reference(_COMMANDS[cmd_name][0])
        reference = installed().commands.get(cmd_name)
        return None if reference is None else _load(cmd_name, reference)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        names = self.list_commands(ctx)
        rows = [(name, _COMMANDS[name][1] if name in _COMMANDS else _origin(name)) for name in names]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _load(name: str, reference: str) -> click.Command:
    try:
        return load_reference(reference)
    except (ImportError, AttributeError) as error:
        raise DiffeoError(f"command {name!r}, {reference}, could not be imported: {error}") from error


def _origin(name: str) -> str:
    return f"From {installed().commands[name].partition('.')[0].partition(':')[0]}."


@click.group(cls=_LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, package_name="diffeo", message="diffeo %(version)s")
@click.option("--debug", is_flag=True, help="Show the traceback of an error.  [anywhere on the line]")
def _diffeo(debug: bool) -> None:
    """Compose, train and use normalizing flows made of named parts."""


def main() -> None:
    """The console script."""
    status = run(sys.argv[1:])
    if int(os.environ.get("WORLD_SIZE", "1")) > 1:
        # The threads of a process group may still hold tensors, and end a process that takes Python down around them with
        # SIGABRT, now and then. All files are closed by now, so there is nothing left to take down.
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command line and return its exit status; what goes wrong is a line on standard error, not an exception."""
    end = arguments.index("--") if "--" in arguments else len(arguments)
    debug = "--debug" in arguments[:end]
    rest = [word for word in arguments[:end] if word != "--debug"] + list(arguments[end:]) or ["--help"]
    with warnings.catch_warnings():
        warnings.showwarning = _show_warning
        try:
            return int(_diffeo.main(rest, prog_name="diffeo", standalone_mode=False) or 0)
        except click.UsageError as error:
            print(_usage_line(error), file=sys.stderr)
            return 2
        except SystemExit as ended:  # after a signal; ``main`` has to know as well
            return ended.code if isinstance(ended.code, int) else 1
        except (KeyboardInterrupt, click.Abort):
            return 130
        except BrokenPipeError:
            # Whoever read the output has seen enough. Python would complain once more when it flushes at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return 141
        except Exception as error:
            if debug:
                traceback.print_exc()
            else:
                _print_lines(error)
            return _status(error)


def _status(error: Exception) -> int:
    """2 for what the user can mend; 1 for a run that failed; that of the process where it went wrong for the others."""
    if isinstance(error, RuntimeError):
        from diffeo.run import ElsewhereError

        return error.status if isinstance(error, ElsewhereError) else 1
    return 2 if isinstance(error, (ValueError, OSError)) else 1


def _print_lines(error: Exception) -> None:
    """Say it once: what several processes found alike, or what went wrong in another one, is told by the main process."""
    from diffeo.run import ElsewhereError

    rank = os.environ.get("RANK", "0")
    if rank == "0":
        print("\n".join(_lines(error)), file=sys.stderr)
    elif not isinstance(error, (SpecError, ElsewhereError)):
        print("\n".join(f"rank {rank}: {line}" for line in _lines(error)), file=sys.stderr)


def _usage_line(error: click.UsageError) -> str:
    command = "diffeo" if error.ctx is None else error.ctx.command_path
    return f"{command}: {error.format_message()} (see {command} --help)"


def _lines(error: Exception) -> list[str]:
    """What a person reads: a line for every problem. Every ``ValueError`` of this project says what was expected."""
    if isinstance(error, OSError) and error.strerror and error.filename is not None:
        return [f"{error.filename}: {error.strerror}"]
    if isinstance(error, (ValueError, OSError)) or _is_ours(error):
        return str(error).splitlines() or [type(error).__name__]
    text = " ".join(str(error).split())
    return [f"{type(error).__name__}: {text} (--debug shows where)"]


def _is_ours(error: Exception) -> bool:
    """Whether this project raised it in words meant for the user; torch is not imported to find out."""
    return type(error).__module__.partition(".")[0] in ("diffeo", "diffeo_registry")


def _show_warning(
    message: Warning | str,
    category: type[Warning],
    filename: str,
    lineno: int,
    file: TextIO | None = None,
    line: Any = None,
) -> None:
    if os.environ.get("RANK", "0") == "0":  # the others would say the same
        print(f"warning: {' '.join(str(message).split())}", file=file or sys.stderr)
