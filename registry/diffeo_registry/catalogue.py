"""Which first-party package, outside the core, brings which component: what to install for a name that isn't there.

A test of the repository compares this table with the manifests of the packages.
"""

from collections.abc import Mapping, Sequence

__all__ = ["CATALOGUE", "package_of"]

CATALOGUE: Mapping[str, Mapping[str, str]] = {
    "diffeo-bijectors": {
        "bijector": "actnorm autoregressive conv1x1 coupling dense_linear logit lu_linear permutation qr_linear reshape"
        " reverse scale_shift shuffle softplus squeeze",
        "dequantization": "uniform",
        "elementwise": "additive affine rq_spline",
        "scale": "exp sigmoid tanh",
        "split": "alternate channel checkerboard half",
        "network": "conv_resnet mlp residual_mlp separate_mlps",
        "encoder": "conv_encoder mlp_encoder",
    },
    "diffeo-data": {
        "dataset": "checkerboard cifar10 csv eight_gaussians fashion_mnist fashion_mnist_small image_folder imagenet32 npy pinwheel"
        " rings two_moons two_spirals",
    },
    "diffeo-nested-dropout": {
        "dataset": "rotated_gaussian",
        "evaluator": "ordered_projection progressive_samples reconstruction_curve",
        "objective": "nested_dropout",
        "order": "categorical geometric uniform",
    },
    "diffeo-loft": {
        "bijector": "loft",
        "scale": "soft_clamp",
        "network": "two_mlps",
        "distribution": "student_t",
        "objective": "reverse_kl",
        "target": "bayesian_lasso conjugate_linear_regression funnel horseshoe_logistic_regression multivariate_student_t"
        " normal_mixture",
        "evaluator": "marginal_likelihood posterior_pairs posterior_summary sliced_wasserstein value_growth",
    },
    "diffeo-vflow": {
        "augmenter": "vflow",
        "bijector": "each_part swap_parts",
        "dequantization": "variational",
        "distribution": "conditional_normal diagonal_logistic",
        "elementwise": "mixture_logistic",
        "split": "column first_channels",
        "network": "gated_conv_attention",
        "encoder": "gated_conv_encoder",
        "evaluator": "clipped_share mode_transport",
    },
    "diffeo-denseflow": {
        "augmenter": "cross_unit",
        "network": "dense_conv expanding_conv nystrom_dense_conv",
        "encoder": "dense_conv_encoder",
    },
}
"""Package -> kind -> names, former ones too, separated by blanks."""


def package_of(name: str, kinds: Sequence[str]) -> str | None:
    """The package that brings a component of this name and one of these kinds; None if no first-party package does."""
    for package, by_kind in CATALOGUE.items():
        if any(name in by_kind.get(kind, "").split() for kind in kinds):
            return package
    return None
