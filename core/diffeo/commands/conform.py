"""``diffeo conform``."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import click

from diffeo.testing.targets import find_targets

if TYPE_CHECKING:
    from diffeo.testing.checks import Check

__all__ = ["conform"]


@click.command()
@click.argument("target", metavar="KIND/NAME|PACKAGE")
@click.option(
    "--strict", is_flag=True, help="Quality checks count, too: docstrings, compile, vmap, meta device, stress."
)
@click.option("--quick", is_flag=True, help="Slow checks for the first case of each component only.")
def conform(target: str, strict: bool, quick: bool) -> int:
    """Hold a component (`bijector/coupling`) or all of a package (`diffeo-bijectors`) to the laws of its kind.

    Exit status 1 if a law does not hold.
    """
    find_targets(target)  # before torch is imported: a misspelt name is told at once
    from diffeo.testing.checks import conformance

    checks = [check for check in conformance(target) if not (quick and check.is_extra)]
    counts = {"law": 0, "quality": 0}
    for name, of_component in _by_component(checks):
        failures = _failures(of_component)
        click.echo(_line(name, of_component, failures))
        for check, message in failures:
            counts["quality" if check.law.is_quality else "law"] += 1
            click.echo(_block(check, message))
    click.echo(_verdict(len(checks), counts, strict=strict))
    return int(bool(counts["law"] or (strict and counts["quality"])))


def _by_component(checks: Sequence["Check"]) -> Iterator[tuple[str, list["Check"]]]:
    found: dict[str, list[Check]] = {}
    for check in checks:
        found.setdefault(f"{check.kind}/{check.component.name}", []).append(check)
    yield from found.items()


def _failures(checks: Sequence["Check"]) -> list[tuple["Check", str]]:
    found: list[tuple[Check, str]] = []
    for check in checks:
        try:
            check()
        except AssertionError as error:
            found.append((check, str(error)))
    return found


def _line(name: str, checks: Sequence["Check"], failures: Sequence[tuple["Check", str]]) -> str:
    expected = sum(bool(check.reason) for check in checks) - sum(bool(check.reason) for check, _ in failures)
    held = len(checks) - len(failures) - expected
    known = f", {expected} known not to" if expected else ""
    return f"{name:<32} {held} of {len(checks)} checks hold{known}"


def _block(check: "Check", message: str) -> str:
    kind = "quality" if check.law.is_quality else "law"
    text = message.removeprefix(f"{check}: ")
    lines = [f"  {kind} {check.law.name} does not hold", f"    case      {check.title}"]
    if not isinstance(check.case.spec, str) and check.case.spec is not None:
        lines.append(f"    spec      {check.case.spec}")
    return "\n".join(
        [*lines, *(f"    {part}" for part in text.replace("; the input there", "\nthe input there").splitlines())]
    )


def _verdict(total: int, counts: dict[str, int], *, strict: bool) -> str:
    if not any(counts.values()):
        return f"\nall of {total} checks hold"
    leave = "" if strict or not counts["quality"] else " (quality counts with --strict)"
    return f"\n{total} checks: {counts['law']} laws and {counts['quality']} quality checks do not hold{leave}"
