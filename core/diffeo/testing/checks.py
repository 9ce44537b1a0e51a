"""The kit as a list of checks: one law, one case, one call."""

import tempfile
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

import attrs
import torch

from diffeo.capabilities import Capabilities
from diffeo.testing.cases import Case, automatic_cases, name_in
from diffeo.testing.law import Law, Suite
from diffeo.testing.subject import Subject
from diffeo.testing.targets import find_targets
from diffeo_registry import DiffeoError, Name, Registered, installed, load_reference
from diffeo_registry.wording import listed

__all__ = ["Check", "ConformanceWarning", "conformance"]

SEED = 20_240_601
"""Every check starts from the same random numbers, whatever ran before it."""

BUILDS = Law(name="builds", check="diffeo.testing.record_laws:builds")


class ConformanceWarning(UserWarning):
    """A quality check that does not hold, in a run that is not strict."""


@attrs.frozen(kw_only=True, eq=False)
class Check:
    """One law for one case: call it without arguments; it raises AssertionError where the law does not hold."""

    component: Registered
    kind: str
    case: Case
    suite: Suite
    law: Law
    is_extra: bool = False
    """A slow law on another than a representative case: what a quick run leaves out."""
    is_strict: bool = True
    capabilities: Capabilities = attrs.field(factory=Capabilities)
    """What the component declares, as built for this case."""
    problem: str = ""
    """Why there was nothing to check; such a check always fails."""

    def __str__(self) -> str:
        return f"{self.title} {self.law.name}"

    @property
    def title(self) -> str:
        """The case: ``bijector/coupling(affine) (5,) context (3,)``."""
        name = self.component.name if self.case.spec is None or isinstance(self.case.spec, str) else self.case.name
        return f"{self.kind}/{name} {self.case.shapes}".rstrip()

    @property
    def reason(self) -> str:
        """Why it is expected to fail; empty where it is not."""
        return self.case.expected_failures.get(self.law.name, "")

    def __call__(self) -> None:
        failure = self.problem or self._failure()
        if self.reason and not failure:
            raise AssertionError(
                f"{self}: expected to fail ({self.reason}); it holds: take it out of expected_failures"
            )
        if not failure or self.reason:
            return
        message = f"{self}: {failure}"
        if self.law.is_quality and not self.is_strict:
            warnings.warn(message, ConformanceWarning, stacklevel=2)
            return
        raise AssertionError(message)

    def subject(self, folder: Path) -> Subject:
        """What the law is given; files that the case needs are written into ``folder``."""
        return Subject(component=self.component, kind=self.kind, case=self.case, suite=self.suite, folder=folder)

    def _failure(self) -> str:
        """What went wrong, in words; empty where the law holds."""
        with tempfile.TemporaryDirectory() as folder, torch.random.fork_rng(devices=[]):
            torch.manual_seed(SEED)
            try:
                load_reference(self.law.check)(self.subject(Path(folder)))
            except AssertionError as error:
                return str(error) or "an assertion of the component's own failed"
            except Exception as error:
                text = " ".join(str(error).split())
                return f"expected a result; got {type(error).__name__}: {text[:600]}"
            return ""


def conformance(target: str, *, strict: bool = True, cases: Sequence[Case] | None = None) -> list[Check]:
    """Every check of one component (``"bijector/leaky"``) or of all of a package (``"acme-flows"``).

    Each is called without arguments and raises AssertionError; its string says what it is about. Where the run is not
    strict, quality checks that do not hold give a ``ConformanceWarning``. Each case is built once to see what it declares.
    ``cases`` are used instead of those that the records name, each for the component its spec names.

        @pytest.mark.parametrize("check", conformance("acme-flows"), ids=str)
        def test_conformance(check):
            check()
    """
    return [check for kind, one in find_targets(target) for check in _checks_of(one, kind, cases, strict=strict)]


def _checks_of(component: Registered, kind: str, given: Sequence[Case] | None, *, strict: bool) -> Iterator[Check]:
    """The checks of one component in one kind: a case after the other, law by law."""
    suite: Suite = load_reference(installed().kinds[kind].laws)
    found = _cases(component, kind, suite) if given is None else [case for case in given if _is_of(case, component)]
    blank = Check(component=component, kind=kind, case=Case(), suite=suite, law=BUILDS, is_strict=strict)
    for number, case in enumerate(found):
        if isinstance(case, str):
            yield attrs.evolve(blank, problem=case)
        else:
            yield from _checks_of_case(attrs.evolve(blank, case=case), is_quick=number == 0 or case.representative)


def _checks_of_case(first: Check, *, is_quick: bool) -> Iterator[Check]:
    """That the case can be built, and the laws that bind what came out."""
    try:
        with tempfile.TemporaryDirectory() as folder:
            facts = first.subject(Path(folder)).facts(try_plane=is_quick)
    except Exception as error:  # whatever the constructor raises is what there is to report
        text = " ".join(str(error).split())
        yield attrs.evolve(first, problem=f"expected to be built; got {type(error).__name__}: {text}")
        return
    laws = [law for law in first.suite.laws if law.binds(facts)]
    unknown = sorted(first.case.expected_failures.keys() - {law.name for law in laws})
    names = ", ".join(law.name for law in laws)
    problem = (
        f"expected_failures: expected names of laws that bind this case ({names}); got {unknown}" if unknown else ""
    )
    yield attrs.evolve(first, capabilities=facts.capabilities, problem=problem)
    for law in laws:
        is_extra = law.is_slow and not is_quick
        yield attrs.evolve(first, law=law, is_extra=is_extra, capabilities=facts.capabilities)


def _cases(component: Registered, kind: str, suite: Suite) -> Iterator[Case | str]:
    """The cases of a component, or in words why there is none."""
    if component.component.cases:
        yield from _declared(component)
        return
    attempts = automatic_cases(component.qualified, installed().kinds[kind].built_with)
    tried: dict[str, list[str]] = {}
    found = [case for cases in attempts if (case := _first_built(component, kind, cases, suite, tried)) is not None]
    if found:
        yield from found
    else:
        yield (
            "expected a component that can be built with its default fields at one of the standard shapes, or a record "
            f"with cases; got {'; '.join(_listed(reason, shapes) for reason, shapes in tried.items())}"
        )


def _declared(component: Registered) -> Iterator[Case | str]:
    reference = component.component.cases
    try:
        cases: Sequence[Case] = load_reference(reference)
    except Exception as error:
        yield f"expected cases at {reference}; got {type(error).__name__}: {error}"
        return
    packages = {one.package for one in installed().components}
    there = [case for case in cases if set(case.needs) <= packages]
    found = [case for case in there if _is_of(case, component)]
    if not found and len(there) == len(cases):
        yield f"expected a case at {reference} whose spec names {component.name!r}; got none among {len(cases)}"
    yield from found


def _is_of(case: Case, component: Registered) -> bool:
    """Whether a case of a table is one of this component."""
    text = name_in(case.spec)
    if text is None:
        return installed().of(case.spec) == component
    name = Name.parse(text)
    fits = name.package in (None, component.package) and name.version in (None, component.version)
    return fits and name.name in component.names


def _first_built(
    component: Registered, kind: str, cases: Sequence[Case], suite: Suite, tried: dict[str, list[str]]
) -> Case | None:
    for case in cases:
        try:
            with tempfile.TemporaryDirectory() as folder:
                Subject(component=component, kind=kind, case=case, suite=suite, folder=Path(folder)).make()
        except Exception as error:  # it does not fit, or its constructor fell over: both are told if nothing fits
            kind_of_error = "" if isinstance(error, DiffeoError) else f"{type(error).__name__}: "
            tried.setdefault(kind_of_error + " ".join(str(error).split()), []).append(case.shapes)
        else:
            return case
    return None


def _listed(reason: str, shapes: Sequence[str]) -> str:
    return f"{reason} (tried {listed(shapes, 'and')})" if any(shapes) else reason
