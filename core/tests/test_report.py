import json
import math
import re
import statistics
import struct
import zlib
from html.parser import HTMLParser
from types import SimpleNamespace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from diffeo.curves import POINTS, charts
from diffeo.evaluators.pictures import new_figure, save
from diffeo.png import description
from diffeo.report import duration, format_shape, measured, number, write_report, yaml_tokens
from diffeo.run_metrics import Log, headlines, read_log

LIKELIHOOD = {
    "likelihood/log_prob": -700.0,
    "likelihood/standard_error": 3.5,
    "likelihood/bits_per_dim": 5.0,
    "likelihood/bits_per_dim_standard_error": 0.025,
    "likelihood/num_examples": 1000.0,
}


def write_log(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def log_of(**series):
    return Log({name: (list(range(len(values))), values) for name, values in series.items()}, 1.0, 10)


# What a run wrote down


def test_a_step_logged_again_counts_once_and_a_cut_line_not_at_all(tmp_path):
    path = tmp_path / "metrics.jsonl"
    write_log(path, [{"step": s, "time": s / 2, "loss": 1.0 / (s + 1)} for s in range(4)])
    with path.open("a") as file:
        file.write(json.dumps({"step": 2, "time": 7.0, "loss": 9.0}) + "\n")
        file.write(json.dumps({"step": 2, "time": 8.0, "val/loss": 5.0}) + "\n")
        file.write(json.dumps({"step": 3, "time": 9.0, "loss": None}) + "\n")
        file.write('{"step": 4, "loss"')
    log = read_log(path)
    assert log.series["loss"] == ([0, 1, 2], [1.0, 0.5, 9.0])
    assert log.series["val/loss"] == ([2], [5.0])
    assert (log.seconds, log.last_step) == (9.0, 3)


def test_a_run_without_a_log_is_empty(tmp_path):
    assert read_log(tmp_path / "metrics.jsonl") == Log({}, 0.0, 0)


def test_the_start_and_the_baseline_stand_beside_the_likelihood():
    log = log_of(**{"val/bits_per_dim": [8.0, 6.0], "bits_per_dim": [9.0, 6.0]})
    metrics = LIKELIHOOD | {"likelihood/gaussian_bits_per_dim": 6.5}
    model, start, gaussian = headlines(log, metrics)
    assert (model.label, model.value) == ("bits per dimension", "5.000 ± 0.025")
    assert (start.value, start.detail) == ("8.000", "bits/dim at step 0")
    assert gaussian.value == "6.500"


def test_nats_are_the_unit_of_continuous_data():
    model, start = headlines(log_of(bits_per_dim=[10.0]), LIKELIHOOD)
    assert (model.label, model.value) == ("log-likelihood in nats", "-700.000 ± 3.500")
    assert start.value == "-1400.000"
    assert headlines(log_of(), LIKELIHOOD, unit="bits/dim")[0].value == "5.000 ± 0.025"
    assert headlines(log_of(), {}) == []


# Curves


def points_of(line):
    return [tuple(map(float, pair.split(","))) for pair in line.points.split()]


def test_a_curve_maps_its_values_to_the_box():
    log = Log({"lr": ([0, 50, 100], [0.0, 1.0, 2.0])}, 1.0, 100)
    (chart,) = charts(log)
    low, high = 0.0, 2.12
    expected = [(step, 100 - 100 * (value - low) / (high - low)) for step, value in ((0, 0), (50, 1), (100, 2))]
    assert points_of(chart.lines[0]) == [pytest.approx(pair, abs=0.01) for pair in expected]
    assert [tick.text for tick in chart.x_ticks] == ["0", "25", "50", "75", "100"]


@given(st.lists(st.floats(-1e6, 1e6), min_size=2, max_size=60))
def test_ticks_are_inside_and_every_curve_is_finite(values):
    for chart in charts(log_of(loss=values, grad_norm=[abs(value) + 1e-9 for value in values])):
        assert 1 <= len(chart.y_ticks) <= 12
        assert all(-1e-6 <= tick.at <= 100 + 1e-6 for tick in [*chart.x_ticks, *chart.y_ticks])
        assert len({tick.text for tick in chart.y_ticks}) == len(chart.y_ticks)
        assert all(math.isfinite(x) and math.isfinite(y) for line in chart.lines for x, y in points_of(line))


def test_a_long_curve_is_thinned_and_keeps_its_mean():
    values = [float(i % 40) for i in range(21 * POINTS)]
    (chart,) = charts(Log({"loss": (list(range(len(values))), values)}, 1.0, len(values)))
    raw, smooth = chart.lines
    assert len(raw.values) == len(smooth.values) <= POINTS
    assert sum(raw.values) / len(raw.values) == pytest.approx(19.5, abs=0.02)
    assert statistics.pstdev(smooth.values) < 0.5 * statistics.pstdev(raw.values)


def test_a_loss_in_bits_per_dim_is_not_drawn_twice():
    values = [3.0, 2.0, 1.0]
    assert [chart.title for chart in charts(log_of(loss=values, bits_per_dim=values))] == ["Bits per dimension"]
    both = charts(log_of(loss=[5.0, 4.0, 3.0], bits_per_dim=values))
    assert [chart.title for chart in both] == ["Bits per dimension", "Loss"]


def test_first_values_that_tower_over_the_rest_do_not_flatten_the_curve():
    (chart,) = charts(log_of(loss=[1e6] + [2.0 + math.cos(i) for i in range(200)]))
    assert all(float(tick.text) < 10 for tick in chart.y_ticks)


def test_a_gradient_norm_over_decades_is_logarithmic():
    (chart,) = charts(log_of(grad_norm=[1000.0, 100.0, 10.0, 1.0, 0.1]))
    assert chart.log
    assert [tick.text for tick in chart.y_ticks] == ["0.1", "1", "10", "100", "1000"]


# Pieces of the page


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


@pytest.mark.parametrize("caption", ["Plain words.", "Größe × 2 – “ok” 漢字"])
def test_a_caption_travels_in_the_picture(tmp_path, caption):
    figure = new_figure(1, 1)
    assert description(save(figure, tmp_path / "a.png", caption)) == caption


def test_a_picture_without_caption_and_a_file_that_is_no_picture(tmp_path):
    (tmp_path / "bare.png").write_bytes(b"\x89PNG\r\n\x1a\n" + chunk(b"tEXt", b"Title\x00x") + chunk(b"IEND", b""))
    assert description(tmp_path / "bare.png") == ""
    (tmp_path / "text.png").write_text("no")
    with pytest.raises(ValueError, match=r"expected a PNG; got .*text\.png"):
        description(tmp_path / "text.png")


@given(st.text(alphabet=st.sampled_from("ab1.-: #'\"{}[],\n<>&"), max_size=80))
def test_marking_yaml_loses_nothing(text):
    assert "".join(token for _, token in yaml_tokens(text)) == text


def test_yaml_is_marked():
    tokens = yaml_tokens("# all\nlr: 1.0e-3  # why\nname: diffeo/flow@1\nok: true\nsteps:\n  - squeeze: {a: 'x: y'}\n")
    marked = [(kind, token) for kind, token in tokens if kind]
    assert ("comment", "# all") in marked
    assert ("key", "lr") in marked
    assert ("number", "1.0e-3") in marked
    assert ("word", "true") in marked
    assert ("key", "squeeze") in marked
    assert ("string", "'x: y'") in marked
    assert all(kind != "number" for kind, token in marked if token == "1")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59.6, "1 min"), (61, "1 min 1 s"), (3600, "1 h"), (5025, "1 h 23 min"), (90000, "1 d 1 h")],
)
def test_durations_read_well(seconds, text):
    assert duration(seconds) == text


def test_numbers_and_shapes_read_well():
    assert (number(1234567.0), number(1.00003), number(math.inf)) == ("1,234,567", "1.0000", "inf")
    assert (format_shape((1, 28, 28)), format_shape(()), format_shape(None)) == ("1 × 28 × 28", "()", "–")


@pytest.mark.parametrize(
    ("value", "error", "text"),
    [
        (-543.99, 3.9991, "-544.0 ± 4.0"),
        (4.00413, 0.02944, "4.004 ± 0.029"),
        (-97.505, 0.00409, "-97.5050 ± 0.0041"),
        (123456.7, 812.3, "123,457 ± 812"),
        (1.5, 0.0, "1.5000 ± 0"),
        (1.5, math.nan, "1.5000 ± nan"),
    ],
)
def test_a_number_ends_where_its_error_does(value, error, text):
    assert measured(value, error) == text


# The page


class Page(HTMLParser):
    """Collects the text, the attributes and whether tags are balanced."""

    VOID = ("meta", "img", "line", "polyline", "link")

    def __init__(self, html):
        super().__init__()
        self.open, self.words, self.attributes, self.tags = [], [], [], []
        self.feed(html)
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_startendtag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.words.append(data)


@pytest.fixture
def run(tmp_path):
    folder = tmp_path / "first-run"
    (folder / "report" / "sample_grid").mkdir(parents=True)
    rows = [{"step": s, "time": s, "loss": 5 / (s + 1), "bits_per_dim": 9 / (s + 1), "lr": 0.1} for s in range(40)]
    rows += [{"step": s, "time": s, "val/loss": 1.0, "val/bits_per_dim": 2.0} for s in (0, 20)]
    write_log(folder / "metrics.jsonl", rows)
    (folder / "report" / "metrics.json").write_text(json.dumps(LIKELIHOOD | {"other/<b>evil</b>": 1.0}))
    (folder / "spec.yaml").write_text("data: <script>alert(1)</script>\n")
    save(new_figure(1, 1), folder / "report" / "sample_grid" / "sample_grid.png", 'Samples & "quotes" <i>')
    save(new_figure(1, 1), folder / "report" / "likelihood_by_class.png", "")
    return folder


STRUCTURE = [
    SimpleNamespace(name="flow", depth=0, in_shape=(2,), out_shape=(2,), parameters=1200),
    SimpleNamespace(name="steps[0]: <coupling>", depth=1, in_shape=(2,), out_shape=None, parameters=1200),
]


def test_the_page_holds_everything_in_one_file(run):
    path = write_report(run, structure=STRUCTURE, versions={"torch": "9.9"}, facts={"seed": "7"})
    assert path == run / "report" / "index.html"
    html = path.read_text()
    page = Page(html)
    text = " ".join(page.words)
    for words in ("first-run", "-700.000 ± 3.500", "1,200", "9.9", "seed", "sample grid", 'Samples & "quotes" <i>'):
        assert words in text
    assert len(re.findall(r'src="data:image/png;base64,', html)) == html.count("<img ") == 2
    assert not re.search(r"(?:src|href)=\"(?!data:)|@import|url\(|https?://", html)
    # Raw, smooth and validation of the loss, and the learning rate; bits/dim would say the same as the loss in nats.
    assert page.tags.count("polyline") == 4


def test_the_page_escapes_what_it_did_not_write(run):
    html = write_report(run, structure=STRUCTURE, versions={"<u>": "<s>"}).read_text()
    assert "<script>alert" not in html
    assert not re.search(r"<(?:b|i|u|s|coupling)>", re.sub(r"<i></i>|<b>[A-Z]", "", html))
    assert Page(html).tags.count("script") == 1


def test_a_picture_belongs_to_the_evaluator_whose_name_it_begins_with(run):
    html = write_report(run).read_text()
    section = html.index("<h2>likelihood</h2>")
    assert section < html.index("likelihood by class") < html.index("<h2>", section + 1)


def test_numbers_keep_the_order_and_the_names_of_their_evaluator(run):
    names = ["curve/mse_2", "curve/mse_10", "curve/beta[two_words]_mean"]
    (run / "report" / "metrics.json").write_text(json.dumps(dict.fromkeys(names, 0.5)))
    html = write_report(run).read_text()
    assert html.index("mse 2") < html.index("mse 10") < html.index("beta[two_words] mean")


def test_an_empty_run_gives_a_page_too(tmp_path):
    html = write_report(tmp_path).read_text()
    assert "0 s" in html
    assert Page(html).tags.count("img") == 0


def test_readings_under_the_pointer_are_valid_json(run):
    page = Page(write_report(run).read_text())
    readings = [json.loads(value) for name, value in page.attributes if name == "data-readings"]
    assert len(readings) == 2
    assert {line["name"] for line in readings[0]} == {"training", "validation"}
    assert all(len(line["steps"]) == len(line["values"]) for lines in readings for line in lines)
