"""What regressions are given: synthetic data that are always the same, the user's file, and what is wrong with it."""

import re
from typing import Any

import numpy as np
import pytest
import torch
from scipy import stats
from scipy.special import expit

import diffeo
from diffeo.cli import run

TABLE = "a,y,b\n1.0,0,10\n2.0,1,30\n4.0,1,20\n9.0,0,20\n"


def make(name: str, **fields: Any) -> Any:
    return diffeo.build("target", {name: fields})


@pytest.mark.parametrize(("dim", "mean"), [(10, 0.52), (100, 0.58), (1000, 0.55)])
def test_checksums_of_the_logistic_data(dim: int, mean: float) -> None:
    target = make("horseshoe_logistic_regression", dim=dim)
    assert target.event_shape == (2 * dim + 2,)
    assert target.x.shape == (100, dim)
    assert ((target.signs + 1) / 2).mean().item() == pytest.approx(mean)
    if dim == 10:
        np.testing.assert_allclose(target.x[0, :3], [-0.55413491, 0.19710489, 0.1964225], atol=5e-9)


@pytest.mark.parametrize(("fold", "evidence"), [(0, -273.393763), (1, -269.739037)])
def test_checksums_of_the_linear_data(fold: int, evidence: float) -> None:
    assert make("conjugate_linear_regression", fold=fold).log_marginal == pytest.approx(evidence, abs=1e-5)


def test_labels_are_those_of_scipy() -> None:
    generator = np.random.default_rng(293309)
    covariance = 0.1 ** np.abs(np.subtract.outer(np.arange(6), np.arange(6)))
    for _ in range(3):
        x = generator.multivariate_normal(np.zeros(6), covariance, size=100)
        logits = x @ [3.0, 1.5, 0.0, 0.0, 2.0, 0.0] + 1
        y = stats.bernoulli(expit(logits)).rvs(random_state=generator)
    target = make("horseshoe_logistic_regression", dim=6, fold=2)
    np.testing.assert_array_equal(target.x, x)
    np.testing.assert_array_equal((target.signs + 1) / 2, y)


def test_both_linear_regressions_have_the_same_data() -> None:
    lasso, conjugate = make("bayesian_lasso", dim=7), make("conjugate_linear_regression", dim=7)
    assert torch.equal(lasso.x, conjugate.x)
    assert torch.equal(lasso.y, conjugate.y)
    assert lasso.event_shape == (16,)
    assert conjugate.event_shape == (8,)


@pytest.fixture
def table(tmp_path: Any) -> Any:
    path = tmp_path / "table.csv"
    path.write_text(TABLE)
    return path


def test_columns_of_a_file_are_taken_by_name(table: Any) -> None:
    whole = make("horseshoe_logistic_regression", path=table, label="y")
    assert whole.x.tolist() == [[1, 10], [2, 30], [4, 20], [9, 20]]
    assert whole.signs.tolist() == [-1, 1, 1, -1]
    assert whole.x.dtype == torch.float64
    part = make("conjugate_linear_regression", path=table, label="a", columns=["b"])
    assert part.x.tolist() == [[10], [30], [20], [20]]
    assert part.y.tolist() == [1, 2, 4, 9]
    assert whole.entries == dict.fromkeys(("beta", "lambda", "raw"), ("a", "b"))
    assert part.entries == {"beta": ("b",)}
    assert make("bayesian_lasso").entries == {}


def test_scaling_takes_covariates_and_in_a_linear_regression_the_label(table: Any) -> None:
    standard = make("horseshoe_logistic_regression", path=table, label="y", scaling="standard")
    torch.testing.assert_close(standard.x.mean(0), torch.zeros(2).double(), atol=1e-12, rtol=0)
    torch.testing.assert_close(standard.x.std(0, correction=0), torch.ones(2).double())
    assert standard.signs.tolist() == [-1, 1, 1, -1]
    robust = make("bayesian_lasso", path=table, label="a", columns=["b"], scaling="robust")
    assert robust.x[:, 0].tolist() == pytest.approx([-2.0, 2.0, 0.0, 0.0])  # median 20, quartiles 17.5 and 22.5
    assert robust.y.tolist() == pytest.approx(
        [(v - 3.0) / 3.5 for v in (1, 2, 4, 9)]
    )  # median 3, quartiles 1.75 and 5.25
    table.write_text("a,y,b\n1,0,5\n2,1,5\n")
    constant = make("horseshoe_logistic_regression", path=table, label="y", scaling="robust")
    assert constant.x[:, 1].tolist() == [0, 0]


@pytest.mark.parametrize(
    ("text", "fields", "message"),
    [
        (TABLE.replace("4.0", "four"), {}, "table.csv:4: column 'a': expected a number; got 'four'"),
        (TABLE.replace("4.0", "nan"), {}, "table.csv:4: column 'a': expected a finite float64 number; got nan"),
        (TABLE.replace("9.0,0", "9.0,2"), {}, "table.csv: expected labels 0 and 1 in column 'y'; got 2 (and 1 of 4 are neither)"),
        (TABLE, {"label": "z"}, "table.csv: expected a column 'z'; got only 'a', 'y', 'b'"),
        (TABLE, {"columns": ["c"]}, "table.csv: expected a column 'c'; got only 'a', 'y', 'b'"),
        (TABLE, {"columns": ["y"]}, "expected each column once in columns, context and label; got 'y' twice"),
        (TABLE.replace("30", ""), {}, "table.csv:3: column 'b': expected a number; got ''"),
        (TABLE.replace(",30", ""), {}, "table.csv:3: expected 3 values; got 2"),
        ("a,y,b\n", {}, "table.csv: expected rows of numbers; got only the names of columns"),
        ("", {}, "table.csv: expected rows of numbers; got an empty file"),
        ("y\n1\n", {}, "expected at least one column of data; got none"),
    ],
)  # fmt: skip
def test_a_file_that_cannot_be_used_is_told_with_the_place(table: Any, text: str, fields: Any, message: str) -> None:
    table.write_text(text)
    with pytest.raises(diffeo.BuildError, match=re.escape(message)) as raised:
        make("horseshoe_logistic_regression", **{"path": table, "label": "y", **fields})
    assert raised.value.path == ("horseshoe_logistic_regression",)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"label": "y"}, "expected path, the file that label and columns are in; got none"),
        ({"path": "x.csv"}, "expected label, the name of the column that is explained; got none"),
        ({"path": "x.csv", "label": "y", "dim": 3}, "expected dim, for synthetic data, or path; got both"),
        ({"scaling": "minmax"}, "expected"),
    ],
)
def test_fields_that_do_not_go_together_are_told(fields: Any, message: str) -> None:
    with pytest.raises(diffeo.SpecError, match=message):
        make("horseshoe_logistic_regression", **fields)


def test_a_missing_file_is_a_warning_of_check_and_an_error_of_train(
    tmp_path: Any, monkeypatch: Any, capsys: Any
) -> None:
    monkeypatch.chdir(tmp_path)
    lines = [
        "diffeo: 1",
        "data: {horseshoe_logistic_regression: {path: x.csv, label: y}}",
        "model: {flow: {base: diagonal_normal}}",
        "objective: reverse_kl",
        "trainer: {steps: 2}",
    ]
    (tmp_path / "spec.yaml").write_text("\n".join(lines))
    (warning,) = diffeo.check(diffeo.load_spec("spec.yaml")).warnings
    assert "x.csv: expected a file; got nothing there" in warning
    assert run(["train", "spec.yaml"]) == 2
    said = capsys.readouterr().err
    assert said.startswith("spec.yaml:2:39: data.horseshoe_logistic_regression: ")
    assert "x.csv: expected a file; got nothing there" in said
    assert not (tmp_path / "runs").exists()
