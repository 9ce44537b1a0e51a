"""The kit finds faults: each is caught by the check that is there for it, and named; what is right passes all of them."""

import re
import subprocess
import sys
import warnings
from pathlib import Path

import pytest

from diffeo.cli import run
from diffeo.testing import Case, Check, ConformanceWarning, conformance
from diffeo_registry import DiffeoError, registry

FAULTS = str(Path(__file__).parent / "faults")


@pytest.fixture(scope="module", autouse=True)
def faults(parts):
    """Installs a package of components with a fault each."""
    sys.path.insert(0, FAULTS)
    registry._installed.cache_clear()
    yield
    sys.path.remove(FAULTS)
    registry._installed.cache_clear()


def failures(target: str, *, slow: tuple[str, ...] = ()) -> dict[str, str]:
    """What each check that fails says, by its law; of the slow ones, those named."""
    found: dict[str, str] = {}
    for check in conformance(target):
        if check.law.name == "docstring" or (check.law.is_slow and check.law.name not in slow):
            continue
        try:
            check()
        except AssertionError as error:
            found.setdefault(check.law.name, str(error))
    return found


@pytest.mark.parametrize("name", ["right", "kinked"])
def test_a_right_bijector_passes_everything(name):
    checks = conformance(f"bijector/{name}")
    assert len(checks) > 50
    assert {check.case.shapes for check in checks} == {"(5,)", "(5,) context (3,)"}
    for check in checks:
        check()


@pytest.mark.parametrize("name", ["augmenter/widen", "augmenter/fold", "network/plain", "distribution/wide"])
def test_what_is_right_of_other_kinds_passes_everything(name):
    assert failures(name, slow=("unbiased", "bound", "normalised")) == {}


@pytest.mark.parametrize(
    "name", ["objective/likelihood", "dataset/dots", "target/bowl", "optimizer/rolling", "schedule/steady"]
)
def test_what_is_right_and_draws_no_tensors_passes_everything(name):
    assert failures(name) == {}


# (component, the check that is there for it, what it says, which others cannot help seeing it too)
TABLE = [
    (
        "bijector/wrong_sign",
        "log_det",
        r"expected -0\.72\d+; got 0\.72\d+ at \(0,\), off by 1\.44",
        "log_det_by_differences",
    ),
    ("bijector/no_log_det", "log_det", r"expected -0\.72\d+; got -0 at \(0,\), off by 0\.72", "log_det_by_differences"),
    (
        "bijector/shifted_inverse",
        "round_trip",
        r"round trip \(forward first\): expected .* at \(\d, 0\), off by 0\.001\d* with a tolerance of",
        "sampling",
    ),
    (
        "bijector/forgets_context",
        "context",
        r"expected all of 5 outputs to depend on it; 4 do, not those at \[\[0\]\]",
        "",
    ),
    (
        "bijector/uses_context",
        "context",
        r"expected none of 5 outputs to depend on it; 5 do.*declare it: capabilities",
        "",
    ),
    ("bijector/unused_parameter", "gradients", "parameter unused got no gradient", ""),
    (
        "bijector/single_precision",
        "dtypes",
        r"expected the log-det in torch\.float64, as the input; got torch\.float32",
        "gradcheck",
    ),
    (
        "bijector/overwrites",
        "inputs_unchanged",
        r"inputs unchanged \(inverse\), the input after the call: expected",
        "batch_independence batch_shapes repeatable round_trip state vmap",
    ),
    (
        "bijector/leaks_batch",
        "batch_independence",
        r"batch independence \(forward\), row alone: expected",
        "batch_shapes gradcheck round_trip sampling vmap",
    ),
    (
        "bijector/square_root",
        "finite",
        r"finite \(forward\), gradient of the input: expected finite values; got nan",
        "stress",
    ),
    ("bijector/loses_state", "state", r"state \(forward\): expected .*; got .* at \(\d, \d\), off by", ""),
    (
        "bijector/random_inverse",
        "repeatable",
        r"repeatable \(inverse\), second call: expected",
        "batch_independence batch_shapes dtypes gradcheck log_det_by_differences round_trip sampling state vmap",
    ),
    (
        "bijector/wrong_backward",
        "gradcheck",
        r"expected gradients as differences give; got Jacobian mismatch .* numerical:.* analytical:",
        "log_det log_det_by_differences vmap",
    ),
    ("bijector/branches", "vmap", "expected a result; got RuntimeError: vmap: .*data-dependent control flow", "meta"),
    ("bijector/stays_behind", "devices", r"expected a result; got RuntimeError: .*device cpu", "meta"),
    (
        "augmenter/biased",
        "unbiased",
        r"augmenter law: expected 0\.\d+; got 0\.\d+, more than 4 standard errors apart; x = \[.*40000 draws",
        "",
    ),
    ("augmenter/half_fold", "unbiased", r"expected 1; got 0\.7\d+, more than 4 standard errors; for h = 1", ""),
    ("augmenter/rounds", "strip", r"strip of augment \(batch \(\)\): expected .* with a tolerance of 0", ""),
    ("network/deaf", "context", "expected all of 8 outputs to depend on it; 0 do", ""),
    ("network/loud", "starts_at_zero", "expected a new network to return zeros; got 1 at most", ""),
    ("distribution/heavy", "normalised", r"sampled density: expected .* of 20000 draws in the cell .*; got", ""),
    ("distribution/cold", "temperature", "temperature 0: expected", ""),
    ("objective/sums", "mean", "average of two halves: expected", ""),
    ("objective/forgets", "every_gradient", r"step 1: parameter 1\.temper got no gradient", ""),
    ("target/pooled", "log_prob", r"log_prob, batch \(\): expected", "gradient"),
    ("target/detached", "gradient", r"gradient, against differences: expected", ""),
    ("optimizer/stubborn", "learning_rate", r"learning rate, 0: expected", ""),
    ("optimizer/forgetful", "state", r"state, three steps later: expected", ""),
    ("schedule/counting", "pure", r"expected 0\.0019\d+ at step 4990 of 5000 again; got 0\.0019", ""),
    ("schedule/plunging", "factors", r"at least 0 at step 4 of 7; got -0\.14", ""),
    ("dataset/moody", "purity", "purity, train again, x: expected", "purity_in_threads"),
    ("dataset/overlapping", "splits", "expected no example in both train and val; got 10", ""),
    ("dataset/lies", "shapes", r"expected \{'x': \(3, 3\)\}; got \{'x': \(3, 2\)\}", ""),
]


@pytest.mark.parametrize(("name", "law", "message", "others"), TABLE, ids=[row[0] for row in TABLE])
def test_a_fault_is_found_and_named(name, law, message, others):
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Input #")  # torch's, on the way to the mismatch of dtypes that is told
        found = failures(name, slow=(law,))
    assert law in found, found
    assert found[law].startswith(f"{name} (") or found[law].startswith(f"{name} {law}"), found[law]
    assert re.search(message, found[law]), found[law]
    assert found.keys() - {law} == set(others.split())


def test_densities_show_a_wrong_log_det(capsys):
    found = failures("bijector/wrong_sign", slow=("integral", "sampled_density", "composition"))
    assert re.search(r"expected an integral of 1; got 3\.\d+ with a tolerance of 0\.01", found["integral"])
    assert re.search(r"draws in the cell .*; got .*, more than 5 standard errors", found["sampled_density"])
    assert re.search("composition, inside chain: log-det", found["composition"])


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "falls_over",
            r"can be built with its default fields at one of the standard shapes.*KeyError: 'missing' \(tried \(5,\), ",
        ),
        ("pairs_only", "expected the impossible"),
        ("needy", r"or a record with cases; got .*size: required, but missing"),
        ("misnamed", r"expected_failures: expected names of laws that bind this case .*; got \['roundtrip'\]"),
    ],
)
def test_what_cannot_be_built_is_a_failure_that_says_what_was_tried(name, message):
    (check,) = [check for check in conformance(f"bijector/{name}") if check.problem]
    with pytest.raises(AssertionError, match=message):
        check()


def test_expected_failures_are_strict_and_need_a_reason():
    assert failures("bijector/excused") == {}
    assert re.search(
        r"expected to fail \(it used to be off\); it holds", failures("bijector/overexcused")["round_trip"]
    )
    with pytest.raises(ValueError, match="expected a reason why 'log_det' is expected to fail; got none"):
        Case(spec="right", expected_failures={"log_det": " "})


def test_quality_warns_where_a_run_is_not_strict():
    (check,) = [one for one in conformance("bijector/undocumented", strict=False)[:8] if one.law.name == "docstring"]
    with pytest.warns(ConformanceWarning, match="expected a formula in the docstring of Undocumented"):
        check()
    (check,) = [one for one in conformance("bijector/undocumented")[:8] if one.law.name == "docstring"]
    with pytest.raises(AssertionError, match="expected a formula"):
        check()


def test_other_cases_can_be_given():
    cases = [Case(spec="right", shape=(3,)), Case(spec="kinked", shape=(2,))]
    checks = conformance("bijector/right", cases=cases)
    assert {check.title for check in checks} == {"bijector/right (3,)"}
    assert str(checks[1]) == "bijector/right (3,) config"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("bijector/rihgt", "no bijector named 'rihgt'; did you mean 'right'?"),
        ("bijectr/right", "no kind named 'bijectr'; did you mean 'bijector'?"),
        ("acme-fault", "no package named 'acme-fault' brings components; did you mean 'acme-faults'?"),
        ("right", "no package named 'right' brings components; did you mean 'bijector/right'?"),
        ("model/flow", "expected a component of a kind that has laws; got model/flow"),
    ],
)
def test_unknown_targets_are_named(target, message, capsys):
    with pytest.raises(DiffeoError, match=re.escape(message)):
        conformance(target)
    assert run(["conform", target]) == 2
    assert message in capsys.readouterr().err


def test_the_command_tells_which_law_broke_where_and_by_how_much(capsys):
    assert run(["conform", "bijector/shifted_inverse", "--quick"]) == 1
    out = capsys.readouterr().out
    assert re.match(r"bijector/shifted_inverse +\d+ of \d+ checks hold\n", out)
    block = out.partition("law round_trip does not hold\n")[2].splitlines()
    assert block[0] == "    case      bijector/shifted_inverse (5,)"
    assert re.search(r"expected .*; got .*, off by 0\.001\d* with a tolerance of", block[1])
    assert re.search(r"the input there is \[", block[2])
    assert re.search(r"\d+ checks: \d+ laws and \d+ quality checks do not hold", out)


def test_quality_counts_where_the_command_is_strict(capsys):
    assert run(["conform", "bijector/undocumented", "--quick"]) == 0
    assert "quality checks do not hold (quality counts with --strict)" in capsys.readouterr().out
    assert run(["conform", "bijector/undocumented", "--quick", "--strict"]) == 1


def test_checks_do_not_depend_on_what_ran_before():
    def numbers() -> str:
        check: Check = next(one for one in conformance("bijector/shifted_inverse") if one.law.name == "round_trip")
        with pytest.raises(AssertionError) as failure:
            check()
        return str(failure.value)

    assert numbers() == numbers()


def test_tables_of_cases_import_no_torch():
    """They stand in plugins, whose records must be listed at once."""
    code = "import sys, diffeo.conformance, diffeo.testing; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
