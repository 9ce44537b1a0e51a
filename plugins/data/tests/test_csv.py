import numpy as np
import pytest
import torch

from diffeo_data import Csv, CsvDataset, DataFileError, MissingDataError
from diffeo_registry import DiffeoError

TABLE = "a,b,c,label\n" + "".join(f"{i},{i / 8},{-i},{i % 3}\n" for i in range(20))


@pytest.fixture
def write(tmp_path):
    def write(text, name="rows.csv"):
        path = tmp_path / name
        path.write_text(text, encoding="utf-8")
        return path

    return write


def all_rows(data):
    batches = [data.batch(split, torch.arange(data.size(split))) for split in ("train", "val", "test")]
    joined = {name: torch.cat([batch[name] for batch in batches]) for name in batches[0]}
    order = joined["x"][:, 0].argsort()
    return {name: values[order] for name, values in joined.items()}


def test_all_columns_by_default(write):
    data = CsvDataset(Csv(path=write(TABLE)), seed=0)
    assert data.shapes == {"x": (4,)}
    assert [data.size(split) for split in ("train", "val", "test")] == [16, 2, 2]
    x = all_rows(data)["x"]
    assert x.dtype == torch.float32
    assert x.tolist() == [[i, i / 8, -i, i % 3] for i in range(20)]


def test_named_columns_context_and_label(write):
    config = Csv(path=write(TABLE), columns=("a", "c"), context=("b",), label="label", dtype="float64", val=0.25)
    data = CsvDataset(config, seed=0)
    assert data.shapes == {"x": (2,), "context": (1,), "y": ()}
    assert data.size("val") == 5
    rows = all_rows(data)
    assert rows["x"].tolist() == [[i, -i] for i in range(20)]
    assert rows["context"].tolist() == [[i / 8] for i in range(20)]
    assert rows["y"].tolist() == [i % 3 for i in range(20)]
    assert (rows["x"].dtype, rows["context"].dtype, rows["y"].dtype) == (torch.float64, torch.float64, torch.int64)


def test_default_columns_leave_out_context_and_label(write):
    data = CsvDataset(Csv(path=write(TABLE), context=("a",), label="label"), seed=0)
    assert data.shapes == {"x": (2,), "context": (1,), "y": ()}
    assert data.wanted == ("b", "c", "a", "label")


def test_without_names_columns_are_numbered(write):
    path = write("1,2,3\n4,5,6\n7,8,9\n")
    data = CsvDataset(Csv(path=path, columns=("3", "1"), val=0, test=0), seed=0)
    assert sorted(data.batch("train", torch.arange(3))["x"].tolist()) == [[3, 1], [6, 4], [9, 7]]


def test_delimiters_quotes_blank_lines_and_a_byte_order_mark(write):
    path = write('\ufeff"a b";c\r\n\r\n 1.5 ;"2e3"\r\n-3;4\r\n')
    data = CsvDataset(Csv(path=path, delimiter=";", columns=("a b", "c"), val=0, test=0), seed=0)
    assert sorted(data.batch("train", torch.arange(2))["x"].tolist()) == [[-3, 4], [1.5, 2000]]


def test_names_that_look_like_numbers_need_header_true(write):
    path = write("2020,2021\n1,2\n3,4\n")
    data = CsvDataset(Csv(path=path, header=True, val=0, test=0), seed=0)
    assert data.wanted == ("2020", "2021")
    assert data.size("train") == 2


def test_values_agree_with_numpy(write):
    values = np.random.default_rng(0).normal(size=(100, 3)) * 10.0 ** np.arange(-8, 10, 6)
    path = write("")
    np.savetxt(path, values, delimiter=",")
    data = CsvDataset(Csv(path=path, dtype="float64", val=0, test=0), seed=0)
    x = data.batch("train", torch.arange(100))["x"].numpy()
    order = np.argsort(values[:, 0])
    np.testing.assert_array_equal(x[np.argsort(x[:, 0])], np.loadtxt(path, delimiter=",")[order])


def test_the_shape_of_named_columns_needs_no_file(tmp_path):
    data = CsvDataset(Csv(path=tmp_path / "later.csv", columns=("a", "b")), seed=0)
    assert data.shapes == {"x": (2,)}
    with pytest.raises(MissingDataError, match=r"later\.csv: expected a file; got nothing there"):
        data.prepare()


def test_a_missing_file_is_an_error_when_its_header_is_needed(tmp_path):
    with pytest.raises(
        FileNotFoundError, match=r"later\.csv: expected a file; got nothing there \(relative paths start"
    ):
        CsvDataset(Csv(path=tmp_path / "later.csv"), seed=0)
    with pytest.raises(MissingDataError, match="expected a file; got a folder"):
        CsvDataset(Csv(path=tmp_path), seed=0)


BAD = {
    "text": ("a,b\n1,2\n3,four\n", ":3: column 'b': expected a number; got 'four'"),
    "nothing": ("a,b\n1,2\n3,\n", ":3: column 'b': expected a number; got ''"),
    "nan": ("a,b\n1,2\n\n3,4\nnan,5\n", ":5: column 'a': expected a finite float32 number; got nan"),
    "inf": ("a,b\n1,-inf\n", ":2: column 'b': expected a finite float32 number; got -inf"),
    "too large": ("a,b\n1,1e39\n", ":2: column 'b': expected a finite float32 number; got 1e+39"),
    "short line": ("a,b\n1,2\n3\n", ":3: expected 2 values; got 1"),
    "long line": ("a,b\n1,2,3\n", ":2: expected 2 values; got 3"),
    "empty": ("", ": expected rows of numbers; got an empty file"),
    "names only": ("a,b\n\n", ": expected rows of numbers; got only the names of columns"),
    "twice": ("a,b,a\n1,2,3\n", ":1: expected columns of different names; got 'a' twice"),
    "mixed": (
        "a,2\n1,2\n",
        ":1: expected names or numbers only in the first line; got both, 'a' for one "
        "(`header: true` or `header: false` says which they are)",
    ),
    "semicolons": (
        "a;b\n1;2.5\n",
        ":2: column 'a;b': expected a number; got '1;2.5' (`delimiter: \";\"` would make numbers of it)",
    ),
    "tabs": (
        "1\t2\n3\t4\n",
        ":2: column '1\\t2': expected a number; got '3\\t4' (`delimiter: \"\\t\"` would make numbers of it)",
    ),
    "multi-line": ('a,b\n"1\n",2\n3,x\n', ":4: column 'b': expected a number; got 'x'"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_errors_with_line_and_column(write, case):
    text, message = BAD[case]
    path = write(text)
    with pytest.raises(DataFileError) as caught:
        CsvDataset(Csv(path=path, val=0, test=0), seed=0).prepare()
    assert str(caught.value) == f"{path}{message}"


def test_bad_context_and_label_are_named(write):
    path = write("a,b,label\n1,2,0\n3,4,1.5\n")
    with pytest.raises(DataFileError) as caught:
        CsvDataset(Csv(path=path, label="label", val=0, test=0), seed=0).prepare()
    assert str(caught.value) == f"{path}:3: column 'label': expected a class label 0, 1, 2, ...; got 1.5"
    path = write("a,b,c\n1,2,0\n3,4,inf\n")
    with pytest.raises(DataFileError) as caught:
        CsvDataset(Csv(path=path, context=("b", "c"), val=0, test=0), seed=0).prepare()
    assert str(caught.value) == f"{path}:3: column 'c': expected a finite float32 number; got inf"


def test_an_unknown_column_is_named(write):
    path = write(TABLE)
    with pytest.raises(DataFileError) as caught:
        CsvDataset(Csv(path=path, columns=("a", "z")), seed=0).prepare()
    assert str(caught.value) == f"{path}: expected a column 'z'; got only 'a', 'b', 'c', 'label'"


def test_bytes_that_are_not_text(tmp_path):
    path = tmp_path / "rows.csv"
    path.write_bytes(b"a,b\n1,\xff\n")
    with pytest.raises(DataFileError, match="expected text in UTF-8"):
        CsvDataset(Csv(path=path), seed=0).prepare()


def test_configs_that_cannot_be(write):
    path = write(TABLE)
    with pytest.raises(DiffeoError, match="expected each column once in columns, context and label; got 'a' twice"):
        CsvDataset(Csv(path=path, columns=("a", "b"), context=("a",)), seed=0)
    with pytest.raises(DiffeoError, match="expected a delimiter of one character; got ', '"):
        CsvDataset(Csv(path=path, delimiter=", "), seed=0)
    with pytest.raises(DiffeoError, match=r'got .* \(a tab is "\\t", in double quotes\)$'):
        CsvDataset(Csv(path=path, delimiter="\\t"), seed=0)
    with pytest.raises(DiffeoError, match=r"expected val \+ test below 1, .*; got 0\.6 \+ 0\.4"):
        CsvDataset(Csv(path=path, val=0.6, test=0.4), seed=0)
    with pytest.raises(DiffeoError, match="expected at least one column of data; got none"):
        CsvDataset(Csv(path=path, columns=()), seed=0)
    with pytest.raises(DiffeoError, match="expected examples to train on; got 1 in all, 1 for val and 0 for test"):
        CsvDataset(Csv(path=write("1,2\n"), val=0.9, test=0), seed=0).prepare()
