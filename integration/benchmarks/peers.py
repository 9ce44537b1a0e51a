"""A training step of the same coupling flow here and in other libraries, measured against its conditioners alone.

Usage: python integration/benchmarks/peers.py [affine|rq_spline] [--inverse] [--rounds N] [--threads N]

The flow has 64 dimensions and 8 couplings; each conditioner is an MLP 32 -> 256 -> 256 -> 256 -> parameters; a step is
forward, backward and Adam on 1024 rows. ``floor`` is the least any such flow can take: the eight MLPs with the same
outputs and no flow around them. ``by hand`` (affine only) is the shortest eager code for the flow, without any library;
``joined by hand`` puts the halves together after every coupling and reverses them, as layers that know nothing of each
other must: what is left to gain. With ``--inverse`` the flow is trained through its inverses. ``compiled transforms`` is
``diffeo_bijectors.compile_elementwise``, ``compiled step`` torch.compile of the whole loss. normflows brings a residual network
of its own for the spline. Peers that are not installed are left out.
"""

import argparse
import importlib.util
from collections.abc import Callable
from typing import Any

import torch
from interleaved import interleave, report
from torch import Tensor, nn

import diffeo
from diffeo_bijectors import compile_elementwise

DIM, LAYERS, WIDTH, BINS, ROWS = 64, 8, 256, 8, 1024
HALF = DIM // 2

Model = tuple[nn.Module, Callable[[Tensor], Tensor]]
"""A module and its loss on a batch."""


def mlp(inputs: int, outputs: int) -> nn.Sequential:
    hidden = [layer for size in (inputs, WIDTH, WIDTH) for layer in (nn.Linear(size, WIDTH), nn.ReLU())]
    return nn.Sequential(*hidden, nn.Linear(WIDTH, outputs))


def normal_nll(z: Tensor, log_det: Tensor) -> Tensor:
    return (0.5 * z.square().sum(-1) - log_det).mean()


def floor(transform: str, *, inverse: bool) -> Model:
    per_entry = 3 * BINS - 1 if transform == "rq_spline" else 2
    networks = nn.ModuleList(mlp(HALF, HALF * per_entry) for _ in range(LAYERS))

    def loss(x: Tensor) -> Tensor:
        return torch.stack([network(x[:, :HALF]).square().mean() for network in networks]).sum()

    return networks, loss


def by_hand(transform: str, *, inverse: bool) -> Model:
    networks = nn.ModuleList(mlp(HALF, 2 * HALF) for _ in range(LAYERS))

    def loss(x: Tensor) -> Tensor:
        kept, changed = x.split([HALF, HALF], dim=-1)
        log_det = x.new_zeros(len(x))
        for network in networks:
            changed, term = affine_by_hand(changed, network(kept))
            kept, changed = changed, kept
            log_det = log_det + term
        return normal_nll(torch.cat([kept, changed], -1), log_det)

    return networks, loss


def joined_by_hand(transform: str, *, inverse: bool) -> Model:
    networks = nn.ModuleList(mlp(HALF, 2 * HALF) for _ in range(LAYERS))

    def loss(x: Tensor) -> Tensor:
        log_det = x.new_zeros(len(x))
        for network in networks:
            kept, changed = x.split([HALF, HALF], dim=-1)
            changed, term = affine_by_hand(changed, network(kept))
            x = torch.cat([kept, changed], -1).flip(-1)
            log_det = log_det + term
        return normal_nll(x, log_det)

    return networks, loss


def affine_by_hand(x: Tensor, params: Tensor) -> tuple[Tensor, Tensor]:
    raw, shift = params.split([HALF, HALF], dim=-1)
    log_scale = 4 * torch.sigmoid(raw) - 2
    return torch.addcmul(shift, x, log_scale.exp()), log_scale.sum(-1)


def ours(transform: str, *, inverse: bool) -> Model:
    spec: Any = {"rq_spline": {"bins": BINS}} if transform == "rq_spline" else "affine"
    layer = {"coupling": {"transform": spec, "network": {"mlp": {"hidden": [WIDTH] * 3}}}}
    flow = diffeo.build("bijector", {"repeat": {"times": LAYERS, "steps": [layer, "reverse"]}}, shape=(DIM,))
    return flow, lambda x: normal_nll(*(flow.inverse(x) if inverse else flow(x)))


def compiled_transforms(transform: str, *, inverse: bool) -> Model:
    flow, loss = ours(transform, inverse=inverse)
    return compile_elementwise(flow), loss


def compiled_step(transform: str, *, inverse: bool) -> Model:
    flow, loss = ours(transform, inverse=inverse)
    return flow, torch.compile(loss, fullgraph=True)


def nflows(transform: str, *, inverse: bool) -> Model:
    from nflows.transforms import (
        AffineCouplingTransform,
        CompositeTransform,
        PiecewiseRationalQuadraticCouplingTransform,
    )

    class Conditioner(nn.Module):
        def __init__(self, inputs: int, outputs: int) -> None:
            super().__init__()
            self.network = mlp(inputs, outputs)

        def forward(self, inputs: Tensor, context: Tensor | None = None) -> Tensor:
            return self.network(inputs)

    def layer(index: int) -> Any:
        mask = (torch.arange(DIM) + index) % 2
        if transform == "affine":
            return AffineCouplingTransform(mask, Conditioner)
        return PiecewiseRationalQuadraticCouplingTransform(
            mask, Conditioner, num_bins=BINS, tails="linear", tail_bound=5.0
        )

    flow = CompositeTransform([layer(index) for index in range(LAYERS)])
    return flow, lambda x: normal_nll(*(flow.inverse(x) if inverse else flow(x)))


def normflows(transform: str, *, inverse: bool) -> Model:
    from normflows.flows import AffineCouplingBlock, CoupledRationalQuadraticSpline, Permute

    if transform == "rq_spline":
        layers = [
            CoupledRationalQuadraticSpline(DIM, 1, WIDTH, num_bins=BINS, tail_bound=5.0, reverse_mask=bool(index % 2))
            for index in range(LAYERS)
        ]
    else:
        layers = [
            layer
            for _ in range(LAYERS)
            for layer in (AffineCouplingBlock(mlp(HALF, 2 * HALF)), Permute(DIM, mode="swap"))
        ]
    flow = nn.ModuleList(layers)

    def loss(x: Tensor) -> Tensor:
        log_det = x.new_zeros(len(x))
        for layer in reversed(flow) if inverse else flow:
            x, term = layer.inverse(x) if inverse else layer(x)
            log_det = log_det + term
        return normal_nll(x, log_det)

    return flow, loss


def zuko(transform: str, *, inverse: bool) -> Model:
    from zuko.flows import GeneralCouplingTransform
    from zuko.transforms import ComposedTransform, MonotonicRQSTransform

    univariate: dict[str, Any] = {}
    if transform == "rq_spline":
        univariate = {"univariate": MonotonicRQSTransform, "shapes": [(BINS,), (BINS,), (BINS - 1,)]}
    layers = nn.ModuleList(
        GeneralCouplingTransform(
            DIM, mask=(torch.arange(DIM) + index) % 2 == 0, hidden_features=[WIDTH] * 3, **univariate
        )
        for index in range(LAYERS)
    )

    def loss(x: Tensor) -> Tensor:
        composed = ComposedTransform(*(layer() for layer in layers))
        return normal_nll(*(composed.inv if inverse else composed).call_and_ladj(x))

    return layers, loss


def training_step(model: nn.Module, loss: Callable[[Tensor], Tensor], x: Tensor) -> Callable[[], None]:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-4)

    def step() -> None:
        optimizer.zero_grad(set_to_none=True)
        loss(x).backward()
        optimizer.step()

    return step


def main() -> None:
    parser = argparse.ArgumentParser(description="Training step of a coupling flow against its conditioners alone.")
    parser.add_argument("transform", nargs="?", default="rq_spline", choices=("affine", "rq_spline"))
    parser.add_argument("--inverse", action="store_true", help="train through the inverses")
    parser.add_argument("--rounds", type=int, default=11)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    torch.manual_seed(0)
    x = torch.randn(ROWS, DIM)
    candidates: dict[str, Callable[..., Model]] = {
        "floor": floor,
        "diffeo": ours,
        "compiled transforms": compiled_transforms,
        "compiled step": compiled_step,
    }
    if arguments.transform == "affine" and not arguments.inverse:
        candidates |= {"by hand": by_hand, "joined by hand": joined_by_hand}
    candidates |= {peer.__name__: peer for peer in (nflows, normflows, zuko) if importlib.util.find_spec(peer.__name__)}
    steps = {
        name: training_step(*build(arguments.transform, inverse=arguments.inverse), x)
        for name, build in candidates.items()
    }
    title = f"training step, {arguments.transform}{', inverse' if arguments.inverse else ''}"
    report(title, interleave(steps, arguments.rounds), base="floor")


if __name__ == "__main__":
    main()
