"""The evaluators: errors that a formula gives, pictures that are there, and what they refuse."""

import csv
import itertools
import math
from types import SimpleNamespace

import pytest
import torch
from matplotlib.image import imread
from torch.testing import assert_close

import diffeo
from diffeo.png import description
from diffeo_nested_dropout import (
    OrderedProjection,
    OrderedProjectionEvaluator,
    ProgressiveSamples,
    ProgressiveSamplesEvaluator,
    ReconstructionCurve,
    ReconstructionCurveEvaluator,
    latent_ranks,
)
from diffeo_nested_dropout.evaluators import ordered_projection
from diffeo_nested_dropout.evaluators.ordered_projection import principal_plane
from diffeo_nested_dropout.evaluators.pca import fit_pca

pytest.importorskip("diffeo_bijectors", reason="needs diffeo-bijectors, of whose parts these flows are made")

VARIANCES = torch.tensor([9.0, 4.0, 1.0, 0.25], dtype=torch.float64)
COUPLINGS = [
    {"coupling": {"split": {"half": {"swap": swap}}, "network": {"mlp": {"hidden": [8]}}}} for swap in (False, True)
]
IMAGES = {
    "flow": {
        "dequantization": "uniform",
        "steps": [
            {"scale_shift": {"scale": 0.25, "shift": -0.5, "trainable": False}},
            {
                "multiscale": {
                    "levels": 2,
                    "steps": ["squeeze", {"conv1x1": {"init": "uniform"}}, {"coupling": {"split": "channel"}}],
                }
            },
        ],
    }
}


class Table(diffeo.Dataset):
    """Splits held in memory, with the same contexts in each where there are any."""

    def __init__(self, context=None, **splits):
        first = next(iter(splits.values()))
        shapes = {"x": tuple(first.shape[1:])} | ({} if context is None else {"context": tuple(context.shape[1:])})
        super().__init__(shapes)
        self.context, self.splits = context, splits

    def size(self, split):
        return len(self.splits[split]) if split in self.splits else 0

    def batch(self, split, indices, seeds=None):
        batch = {"x": self.splits[split][indices]}
        return batch if self.context is None else {**batch, "context": self.context[indices]}


class AppendNoise(diffeo.Augmenter):
    """As many entries again, standard normal."""

    def __init__(self, shape):
        super().__init__(shape, (2 * shape[0], *shape[1:]))

    def augment(self, x, *, context=None):
        dims = tuple(range(-len(self.in_shape), 0))
        noise = diffeo.normal_noise(x.shape, x)
        return torch.cat([x, noise], dims[0]), 0.5 * (noise.square() + math.log(2 * math.pi)).sum(dims)

    def strip(self, y, *, context=None):
        return y.narrow(-len(self.in_shape), 0, self.in_shape[0])


def made(model, shape, context_shape=None, *, scale=0.3):
    """A flow at random parameters in float64."""
    with torch.random.fork_rng():
        torch.manual_seed(0)
        flow = diffeo.build("model", model, shape=shape, context_shape=context_shape).double().eval()
        for parameter in flow.parameters():
            parameter.data += scale * torch.randn_like(parameter)
    return flow


def normal(*shape, seed=1):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def pixels(rows, *shape, seed=1):
    return torch.randint(4, (rows, *shape), generator=torch.Generator().manual_seed(seed), dtype=torch.uint8)


@pytest.fixture
def axes():
    """Points whose covariance is diagonal, with the four VARIANCES, exactly: columns of a Hadamard matrix, scaled."""
    signs = torch.tensor([[1.0]], dtype=torch.float64)
    for _ in range(3):
        signs = torch.cat([torch.cat([signs, signs], 1), torch.cat([signs, -signs], 1)])
    return signs[:, 1:5] * VARIANCES.sqrt()


@pytest.fixture
def reflected(axes):
    """The same points reflected, and the flow that reflects them back and scales them: its latents are the components."""
    vector = torch.tensor([1.0, -2.0, 0.5, 3.0], dtype=torch.float64)
    flow = diffeo.build("model", {"flow": {"steps": [{"qr_linear": {"reflections": 1}}, "scale_shift"]}}, shape=(4,))
    flow = flow.double().eval()
    flow.steps[0].vectors.data[0] = vector
    flow.steps[1].log_scale.data.copy_(-VARIANCES.log() / 2)
    return axes - 2 * (axes @ vector)[:, None] * vector / vector.square().sum(), flow


def curve(folder, flow, data, **fields):
    folder.mkdir(exist_ok=True)
    config = ReconstructionCurve(**{"keep": (1, 2, 3, 4), **fields})
    return ReconstructionCurveEvaluator(config)(flow, data, folder)


def named(numbers, name):
    return [value for key, value in numbers.items() if key.startswith(f"{name}_") and key != "num_examples"]


# reconstruction_curve


def test_a_flow_that_is_pca_has_the_errors_of_pca(reflected, tmp_path):
    """Both are the sum of the variances that are left out, divided by the number of dimensions."""
    points, flow = reflected
    numbers = curve(tmp_path, flow, Table(train=points, test=points))
    left_out = [float(VARIANCES[k:].sum()) / 4 for k in (1, 2, 3, 4)]
    assert named(numbers, "pca") == pytest.approx(left_out, abs=1e-10)
    assert named(numbers, "mse") == pytest.approx(left_out, abs=1e-10)
    assert numbers["num_examples"] == 8


@pytest.mark.parametrize("latents", ["natural", "reversed", "random"])
def test_every_order_leaves_out_the_variances_of_its_last_latents(latents, reflected, tmp_path):
    points, flow = reflected
    numbers = curve(tmp_path, flow, Table(train=points, test=points), latents=latents)
    for order in ("natural", "reversed", "random"):
        ranks = latent_ranks(order, 4)
        left_out = [float(VARIANCES[ranks >= k].sum()) / 4 for k in (1, 2, 3, 4)]
        assert named(numbers, "mse" if order == latents else order) == pytest.approx(left_out, abs=1e-10)
    assert f"{latents}_1" not in numbers
    assert named(curve(tmp_path, flow, Table(test=points), others=False, pca=False), "reversed") == []


def test_components_are_about_the_mean_or_about_zero(axes, tmp_path):
    points, flow = axes + 5, made({"flow": {"steps": ["actnorm"]}}, (4,), scale=0)
    data = Table(train=points, test=points)
    assert named(curve(tmp_path, flow, data), "pca") == pytest.approx(
        [float(VARIANCES[k:].sum()) / 4 for k in (1, 2, 3, 4)], abs=1e-10
    )
    moments = torch.linalg.eigvalsh(points.mT @ points / len(points)).flip(0)
    about_zero = named(curve(tmp_path, flow, data, center=False), "pca")
    assert about_zero == pytest.approx([float(moments[k:].sum()) / 4 for k in (1, 2, 3, 4)], abs=1e-10)


def test_components_are_those_of_the_training_data_and_their_errors_fall(tmp_path):
    training, held_out = normal(60, 7, seed=1), normal(40, 7, seed=2) * 3
    flow = made({"flow": {"steps": [*COUPLINGS, "lu_linear"]}}, (7,))
    numbers = curve(tmp_path, flow, Table(train=training, test=held_out), keep=tuple(range(1, 8)), batch_size=17)
    _, _, basis = torch.linalg.svd(training - training.mean(0))
    moved = held_out - training.mean(0)
    for k in range(1, 8):
        kept = moved @ basis[:k].mT @ basis[:k]
        assert numbers[f"pca_{k}"] == pytest.approx(float((moved - kept).square().mean()), abs=1e-10)
    errors = named(numbers, "pca")
    assert all(after < before for before, after in itertools.pairwise(errors))


def test_far_from_zero_components_keep_their_digits():
    points = normal(50, 3) * torch.tensor([3.0, 2.0, 1.0]).double()
    there = fit_pca((points + 1e6).split(20), center=True)
    assert_close(there.errors(points + 1e6), fit_pca([points], center=True).errors(points), atol=1e-8, rtol=0)


def test_all_latents_give_everything_back_and_the_batch_size_changes_nothing(tmp_path):
    flow = made({"flow": {"steps": COUPLINGS}}, (5,))
    data = Table(train=normal(30, 5, seed=2), test=normal(23, 5))
    small, large = (curve(tmp_path, flow, data, keep=None, batch_size=size) for size in (4, 500))
    assert small == pytest.approx(large, rel=1e-9, abs=1e-20)
    assert {key for key in small if key.startswith("mse")} == {"mse_1", "mse_2", "mse_4", "mse_5"}
    for name in ("mse", "natural", "reversed", "random", "pca"):
        assert small.get(f"{name}_5", 0.0) < 1e-20
    few = curve(tmp_path, flow, data, max_examples=10)
    assert few["num_examples"] == 10


def test_an_example_is_encoded_once(reflected, monkeypatch, tmp_path):
    points, flow = reflected
    calls, original = [], type(flow).encode_data
    monkeypatch.setattr(type(flow), "encode_data", lambda *a, **k: calls.append(len(a[1])) or original(*a, **k))
    curve(tmp_path, flow, Table(train=points, test=points), batch_size=3)
    assert calls == [3, 3, 2]


def test_errors_of_integers_include_their_noise(tmp_path):
    """A flow that only shifts, of data that are all 0: a latent that is dropped leaves the noise u, a component u - 1/2."""
    flow = made({"flow": {"dequantization": "uniform", "steps": ["actnorm"]}}, (4,), scale=0)
    zeros = torch.zeros(4000, 4, dtype=torch.uint8)
    numbers = curve(tmp_path, flow, Table(train=zeros, test=zeros), max_examples=4000)
    deviation = 5 * math.sqrt((1 / 5 - 1 / 9) / 4000)  # of u^2; five standard errors
    for k in (1, 2, 3):
        assert numbers[f"mse_{k}"] == pytest.approx((4 - k) / 4 / 3, abs=deviation)
        assert numbers[f"pca_{k}"] == pytest.approx((4 - k) / 4 / 12, abs=deviation)
    assert numbers["mse_4"] < 1e-20
    assert numbers == curve(tmp_path, flow, Table(train=zeros, test=zeros), max_examples=4000)
    assert numbers != curve(tmp_path, flow, Table(train=zeros, test=zeros), max_examples=4000, seed=1)


def test_the_table_has_every_number_with_its_standard_error(reflected, tmp_path):
    points, (_, flow) = normal(20, 4), reflected
    numbers = curve(tmp_path, flow, Table(train=normal(20, 4, seed=2), test=points), keep=(4, 1))
    with (tmp_path / "reconstruction_curve.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["kept"] for row in rows] == ["1", "4"]
    for row in rows:
        for name in ("mse", "pca", "reversed", "random"):
            assert float(row[name]) == pytest.approx(numbers[f"{name}_{row['kept']}"], rel=1e-9, abs=1e-20)
            assert float(row[f"{name}_standard_error"]) >= 0
    with torch.no_grad():
        z, _ = flow.encode(points)
        errors = (points - flow.decode(z * torch.tensor([1.0, 0, 0, 0]).double())).square().mean(-1)
    assert float(rows[0]["mse_standard_error"]) == pytest.approx(float(errors.std()) / math.sqrt(20), rel=1e-6)


@pytest.mark.parametrize("broken", ["nothing", "everything"])
def test_a_picture_is_drawn_of_anything(broken, reflected, monkeypatch, tmp_path):
    points, flow = reflected
    if broken == "everything":
        monkeypatch.setattr(type(flow), "decode", lambda self, z, context=None: z * math.nan)
    numbers = curve(tmp_path, flow, Table(train=points, test=points), pca=broken == "nothing")
    assert math.isnan(numbers["mse_1"]) == (broken == "everything")
    picture = tmp_path / "reconstruction_curve.png"
    assert picture.stat().st_size > 5000
    assert description(picture).startswith("Error of what the first latents alone are decoded to")


def test_a_curve_of_nothing_but_zeros_is_drawn(tmp_path):
    flow = made({"flow": {"steps": ["actnorm"]}}, (2,), scale=0)
    numbers = curve(tmp_path, flow, Table(test=torch.zeros(1, 2).double()), keep=(1, 2), pca=False)
    assert numbers["mse_1"] == 0
    assert (tmp_path / "reconstruction_curve.png").exists()


def test_images_in_levels_with_a_context(tmp_path):
    flow = made(IMAGES, (1, 8, 8), (3,), scale=0.05)
    data = Table(normal(12, 3), train=pixels(12, 1, 8, 8), test=pixels(12, 1, 8, 8, seed=2))
    numbers = curve(tmp_path, flow, data, keep=None)
    assert [key for key in numbers if key.startswith("mse")] == [f"mse_{k}" for k in (1, 2, 4, 8, 16, 32, 64)]
    assert all(math.isfinite(value) for value in numbers.values())
    assert numbers["mse_64"] < 1e-20


def augmented(model, shape):
    """A flow of a model that begins with twice as many entries, the other half noise."""
    flow = made(model, (2 * shape[0], *shape[1:]), scale=0.05)
    flow.steps.insert(0, AppendNoise(shape))
    flow.event_shape = shape
    return flow


def test_an_augmented_flow_has_more_latents_than_components(tmp_path):
    flow = augmented({"flow": {"steps": COUPLINGS}}, (3,))
    numbers = curve(tmp_path, flow, Table(train=normal(20, 3), test=normal(20, 3, seed=2)), keep=(1, 3, 5, 6))
    assert numbers["mse_6"] < 1e-20
    assert numbers["pca_1"] > numbers["pca_3"] == numbers["pca_5"] == numbers["pca_6"] == 0


# progressive_samples


@pytest.mark.parametrize("context", [None, normal(12, 3)])
def test_images_grow_from_left_to_right(context, tmp_path):
    flow = made(IMAGES, (1, 8, 8), None if context is None else (3,), scale=0.05)
    data = Table(context, test=pixels(12, 1, 8, 8))
    assert ProgressiveSamplesEvaluator(ProgressiveSamples(rows=3))(flow, data, tmp_path) == {}
    samples, reconstructions = (tmp_path / f"progressive_{name}.png" for name in ("samples", "reconstructions"))
    assert description(samples).startswith("Samples of the flow from the first latents alone")
    assert description(reconstructions).startswith("Unseen images from their first latents alone")
    heights = {imread(path).shape[0] for path in (samples, reconstructions)}
    widths = [imread(path).shape[1] for path in (samples, reconstructions)]  # a column for 2, 4, ..., 64, and the image
    assert len(heights) == 1
    assert widths[1] - widths[0] == pytest.approx((widths[0] - 0.24 * 144) / 6, abs=2)


@pytest.fixture
def sheets(monkeypatch):
    """The images of the sheets that are drawn, by their name."""
    found = {}
    monkeypatch.setattr(
        "diffeo_nested_dropout.evaluators.progressive_samples._draw_sheet",
        lambda name, caption, labels, images, path: found.update({name: (labels, images)}),
    )
    return found


def test_the_last_reconstruction_is_the_image(sheets, tmp_path):
    flow, images = made(IMAGES, (1, 8, 8), scale=0.05), pixels(30, 1, 8, 8)
    ProgressiveSamplesEvaluator(ProgressiveSamples(rows=4, keep=(64, 3)))(flow, Table(test=images), tmp_path)
    labels, sheet = sheets["reconstructions"]
    assert labels == ["3", "64", "image"]
    assert sheet.shape == (4, 3, 1, 8, 8)
    assert_close(sheet[:, 1], images[:4].double() / 3)
    assert_close(sheet[:, 2], images[:4].double() / 3)


def test_a_reconstruction_is_decoded_from_the_latents_that_come_first(sheets, tmp_path):
    flow = made({"flow": {"steps": ["squeeze", {"coupling": {"split": "channel"}}]}}, (1, 4, 4))
    images = normal(10, 1, 4, 4)
    config = ProgressiveSamples(rows=2, keep=(5,), latents="reversed")
    ProgressiveSamplesEvaluator(config)(flow, Table(test=images), tmp_path)
    with torch.no_grad():
        z = flow.encode(images[:2])[0].flatten(1)
        z[:, :11] = 0
        expected = flow.decode(z.unflatten(1, (4, 2, 2)))
    low, high = images.min(), images.max()
    assert_close(sheets["reconstructions"][1][:, 0], ((expected - low) / (high - low)).clamp(0, 1))


def test_samples_follow_from_the_seed_and_end_in_the_whole_draw(sheets, tmp_path):
    flow, data = made({"flow": {"steps": ["actnorm"]}}, (1, 4, 4)), Table(test=normal(30, 1, 4, 4))
    drawn = []
    for seed in (1, 1, 2):
        config = ProgressiveSamples(rows=5, keep=(4, 16), seed=seed)
        ProgressiveSamplesEvaluator(config)(flow, data, tmp_path)
        drawn.append(sheets["samples"][1])
    assert_close(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    rows = drawn[0].flatten(2)
    assert_close(rows[:, 0, :4], rows[:, 1, :4])
    assert not torch.equal(rows[:, 0, 4:], rows[:, 1, 4:])


def test_an_augmented_flow_of_images_decodes_to_images(sheets, tmp_path):
    flow = augmented({"flow": {"steps": [{"coupling": {"split": "channel"}}]}}, (1, 4, 4))
    ProgressiveSamplesEvaluator(ProgressiveSamples(rows=2))(flow, Table(test=normal(10, 1, 4, 4)), tmp_path)
    assert sheets["samples"][0] == ["2", "4", "8", "16", "32"]
    assert sheets["reconstructions"][1].shape == (2, 6, 1, 4, 4)
    assert_close(sheets["reconstructions"][1][:, 4], sheets["reconstructions"][1][:, 5])


# ordered_projection


@pytest.mark.parametrize(("size", "panels"), [(2, 1), (3, 2), (4, 3), (6, 3)])
def test_there_is_a_panel_for_every_number_of_latents(size, panels, monkeypatch, tmp_path):
    found = []
    draw = ordered_projection._draw
    monkeypatch.setattr(ordered_projection, "_draw", lambda *a: found.append(a) or draw(*a))
    flow = made({"flow": {"steps": COUPLINGS}}, (size,))
    assert (
        OrderedProjectionEvaluator(OrderedProjection(max_examples=50))(flow, Table(test=normal(80, size)), tmp_path)
        == {}
    )
    ((points, projections, path),) = found
    assert len(projections) == panels
    assert all(projection.shape == points.shape == (50, 2) for projection in projections)
    assert path.stat().st_size > 5000
    assert description(path).startswith("Points that the flow has not seen")


def test_projections_of_a_flow_that_is_pca_lie_on_the_axes(reflected, monkeypatch, tmp_path):
    found = []
    monkeypatch.setattr(ordered_projection, "_draw", lambda *a: found.append(a))
    points, flow = reflected
    OrderedProjectionEvaluator(OrderedProjection())(flow, Table(test=points), tmp_path)
    ((drawn, (first, second, third), _),) = found
    assert_close(first[:, 0], drawn[:, 0])
    assert_close(first[:, 1], torch.zeros(8).double())
    assert_close(second, drawn)
    assert_close(third, drawn)


@pytest.mark.parametrize("points", [torch.ones(5, 2), torch.arange(5.0)[:, None] * torch.tensor([1.0, 0.0])])
def test_points_on_a_line_or_all_the_same_are_drawn(points, tmp_path):
    flow = made({"flow": {"steps": COUPLINGS}}, (2,))
    OrderedProjectionEvaluator(OrderedProjection())(flow, Table(test=points.double()), tmp_path)
    assert (tmp_path / "ordered_projection.png").exists()


def test_a_conditional_flow_is_projected_with_its_contexts(tmp_path):
    flow = made({"flow": {"steps": COUPLINGS}}, (3,), (2,))
    data = Table(normal(40, 2, seed=3), test=normal(40, 3))
    OrderedProjectionEvaluator(OrderedProjection())(flow, data, tmp_path)
    assert (tmp_path / "ordered_projection.png").exists()


def test_the_plane_is_that_of_the_largest_variances(axes):
    mean, plane = principal_plane(axes + 2)
    assert_close(mean, torch.full((4,), 2.0).double())
    assert_close(plane, torch.eye(4).double()[:, :2])


# What they refuse

CURVE, SAMPLES, PROJECTION = (
    ReconstructionCurveEvaluator(ReconstructionCurve()),
    ProgressiveSamplesEvaluator(ProgressiveSamples()),
    OrderedProjectionEvaluator(OrderedProjection()),
)
PLANE = Table(train=normal(5, 2), test=normal(5, 2))


@pytest.mark.parametrize("evaluator", [CURVE, SAMPLES, PROJECTION], ids=lambda one: type(one).__name__)
def test_a_flow_has_to_decode_as_fast_as_it_encodes(evaluator):
    flow = made({"flow": {"steps": [{"autoregressive": {"hidden": [8]}}]}}, (2,))
    with pytest.raises(ValueError, match="expected a flow that is as cheap to invert as to evaluate"):
        evaluator.check(flow, PLANE)
    with pytest.raises(ValueError, match=r"expected a flow, whose latents have an order, .*; got SimpleNamespace"):
        evaluator.check(SimpleNamespace(), PLANE)
    with pytest.raises(ValueError, match=r"expected a data set for the evaluator '\w+'; got object"):
        evaluator.check(flow, object())
    with pytest.raises(ValueError, match="expected a data set with a split 'test'; got none or an empty one"):
        evaluator.check(flow, Table(train=normal(5, 2)))


@pytest.mark.parametrize(
    ("evaluator", "shape", "message"),
    [
        (
            ReconstructionCurveEvaluator(ReconstructionCurve(keep=(1, 3))),
            (2,),
            "keep: expected at most 2, as many latents",
        ),
        (
            ProgressiveSamplesEvaluator(ProgressiveSamples(keep=(17,))),
            (1, 4, 4),
            "keep: expected at most 16, as many latents",
        ),
        (SAMPLES, (2,), r"expected images of shape \(1 or 3, H, W\) for 'progressive_samples'; got \(2,\)"),
        (SAMPLES, (2, 4, 4), r"expected images of shape \(1 or 3, H, W\) for 'progressive_samples'; got \(2, 4, 4\)"),
        (PROJECTION, (1,), r"expected points of shape \(D,\), D >= 2, for 'ordered_projection'; got \(1,\)"),
        (PROJECTION, (1, 4, 4), r"expected points of shape \(D,\), D >= 2, for 'ordered_projection'; got \(1, 4, 4\)"),
        (CURVE, (4097,), "expected data of at most 4096 dimensions for PCA; got 4097: write 'pca: false'"),
    ],
)
def test_what_cannot_be_drawn_is_said_before_training(evaluator, shape, message):
    flow = diffeo.build("model", "flow", shape=shape)
    with pytest.raises(ValueError, match=message):
        evaluator.check(flow, Table(train=torch.zeros(2, *shape), test=torch.zeros(2, *shape)))


def test_pca_needs_training_data_and_nothing_else_does(axes):
    flow, data = made("flow", (4,)), Table(test=axes)
    with pytest.raises(ValueError, match="expected a data set with a split 'train'; got none"):
        CURVE.check(flow, data)
    ReconstructionCurveEvaluator(ReconstructionCurve(pca=False)).check(flow, data)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"keep": []}, "keep: expected at least one number of latents; got none"),
        ({"keep": [0, 1]}, "expected a value >= 1; got 0"),
        ({"keep": [2, 4, 2]}, r"keep: expected every number once; got \[2, 4, 2\]"),
        ({"latents": "sorted"}, "latents"),
    ],
)
@pytest.mark.parametrize("name", ["reconstruction_curve", "progressive_samples"])
def test_bad_fields_are_told(name, fields, message):
    with pytest.raises(ValueError, match=message):
        diffeo.build("evaluator", {name: fields})
