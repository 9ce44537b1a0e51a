"""Write the recipes of this package, which differ from each other in a few lines; a test compares them with what is there.

Usage: python plugins/loft/scripts/make_recipes.py [FOLDER]
"""

import sys
from pathlib import Path
from typing import NamedTuple

FOLDER = Path(__file__).parents[1] / "diffeo_loft" / "recipes" / "loft"

TARGETS = {
    "funnel": "Neal's funnel",
    "multivariate_student_t": "a correlated Cauchy density",
    "normal_mixture": "a mixture of three normal densities",
    "conjugate_linear_regression": "a conjugate linear regression",
    "horseshoe_logistic_regression": "a logistic regression with the horseshoe prior",
    "bayesian_lasso": "a linear regression with the Laplace prior",
}
EXACT = ("funnel", "multivariate_student_t", "normal_mixture", "conjugate_linear_regression")
"""Targets that can be drawn from."""

DIMS = (10, 100, 1000)
PAPER_LAYERS, SHORT_LAYERS = 64, 16


class Method(NamedTuple):
    """One of the methods compared."""

    title: str
    scale: str | None
    """Scale function of the couplings; None: there are none."""
    base: str
    ending: tuple[str, ...] = ()
    """Steps after the couplings."""


CLAMP = "{soft_clamp: {negative: 2.0, positive: 0.1}}"
SYMMETRIC = "{soft_clamp: {negative: 0.1, positive: 0.1}}"
ANISOTROPIC = "{student_t: {trainable_loc_scale: true}}"
LOFT = "loft: {tau: 100.0}"

PROPOSED = Method("the proposed flow with a Student-t base", CLAMP, "student_t", (LOFT, "scale_shift"))
METHODS = {
    "mean-field": Method("a mean-field normal", None, "diagonal_normal"),
    "real-nvp": Method("Real NVP without a clamp", "exp", "diagonal_normal"),
    "symmetric-clamp": Method("a symmetric soft clamp", SYMMETRIC, "standard_normal", ("scale_shift",)),
    "ataf": Method("anisotropic tails as described, with tanh", "{tanh: {bound: 1.0}}", ANISOTROPIC),
    "ataf-as-released": Method("anisotropic tails as released, without a clamp", "exp", ANISOTROPIC),
    "proposed-gaussian": Method(
        "the proposed flow with a normal base", CLAMP, "standard_normal", (LOFT, "scale_shift")
    ),
    "proposed-gaussian-without-loft": Method(
        "the proposed clamp alone with a normal base", CLAMP, "standard_normal", ("scale_shift",)
    ),
    "proposed-student": PROPOSED,
    "proposed-student-without-loft": Method(
        "the proposed clamp alone with a Student-t base", CLAMP, "student_t", ("scale_shift",)
    ),
}


def model(method: Method, layers: int) -> str:
    """The section of the model."""
    lines = ["model:", "  flow:"]
    if method.scale is not None:
        affine = f"{{affine: {{scale: {method.scale}}}}}"
        lines += [
            "    start: base",
            "    steps:",
            "      - repeat:",
            f"          times: {layers // 2}",
            "          steps:",
            "            - coupling:",
            "                split: alternate",
            f"                transform: {affine}",
            "                network: {two_mlps: {hidden: [100]}}",
            "            - coupling:",
            "                split: {alternate: {swap: true}}",
            f"                transform: {affine}",
            "                network: {two_mlps: {hidden: [100]}}",
            *(f"      - {step}" for step in method.ending),
        ]
    return "\n".join([*lines, f"    base: {method.base}"])


PAPER_TRAINER = """\
trainer:
  steps: 60000
  batch_size: 256
  precision: float64
  optimizer: {adam: {lr: 1.0e-4}}
  nonfinite: skip
  max_skipped: 60000              # never stop for steps that are skipped
  select: lowest_loss             # of one step in the second half of the run; lowest_val_loss is the sound choice
  log_every: 100
  save_every: 6000"""


def short_trainer(steps: int) -> str:
    """The trainer of minutes."""
    return f"""\
trainer:
  steps: {steps}
  batch_size: 256
  precision: float64
  optimizer: {{adam: {{lr: 1.0e-3}}}}
  schedule: cosine
  nonfinite: skip
  select: lowest_val_loss         # on draws of the same noise each time"""


def evaluators(target: str, method: Method) -> str:
    """The section of the evaluators."""
    names = ["marginal_likelihood", "posterior_summary"]
    names += ["sliced_wasserstein"] if target in EXACT else []
    names += [] if method.scale is None else ["value_growth"]
    return f"evaluators: [{', '.join(names)}]"


def recipe(comment: str, target: str, dim: int, flow: str, trainer: str, measured: str) -> str:
    """A whole recipe."""
    return "\n".join(
        [comment, "diffeo: 1", "seed: 0", f"data: {{{target}: {{dim: {dim}}}}}", flow, "objective:",
         "  reverse_kl: {gradient: fast_path}", trainer, measured, ""]
    )  # fmt: skip


def recipes() -> dict[str, str]:
    """Text by name."""
    found: dict[str, str] = {}
    for target, title in TARGETS.items():
        for dim in DIMS:
            name = f"{target.replace('_', '-')}-{dim}"
            measured = evaluators(target, PROPOSED)
            what = f"# {title[0].upper()}{title[1:]}, dim {dim}: {PROPOSED.title}"
            paper = f"{what},\n# with the protocol of Andrade 2024, arXiv:2402.16408: 64 couplings, 60,000 steps."
            found[name] = recipe(paper, target, dim, model(PROPOSED, PAPER_LAYERS), PAPER_TRAINER, measured)
            steps = 500 if dim == 1000 else 4000
            short = (
                f"{what},\n# in minutes: 16 couplings, {steps} steps{', which is a first look' if dim == 1000 else ''}."
            )
            found[f"{name}-short"] = recipe(
                short, target, dim, model(PROPOSED, SHORT_LAYERS), short_trainer(steps), measured
            )
    for name, method in METHODS.items():
        comment = (
            f"# {method.title[0].upper()}{method.title[1:]}, with the protocol of Andrade 2024, arXiv:2402.16408.\n"
            "# Another target: --set 'data={conjugate_linear_regression: {dim: 100}}'; shorter: --set trainer.steps=4000."
        )
        measured = evaluators("funnel", method)
        found[name] = recipe(comment, "funnel", 10, model(method, PAPER_LAYERS), PAPER_TRAINER, measured)
    return found


def main() -> None:
    """Write them all."""
    folder = Path(sys.argv[1]) if len(sys.argv) > 1 else FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in recipes().items():
        (folder / f"{name}.yaml").write_text(text)


if __name__ == "__main__":
    main()
