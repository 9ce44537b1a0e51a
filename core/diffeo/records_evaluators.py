"""Records of the evaluators that come with the core."""

from diffeo_registry import Component

__all__ = ["COMPONENTS"]

COMPONENTS = [
    Component(
        kind="evaluator",
        name="likelihood",
        config="diffeo.config_evaluators:Likelihood",
        implementation="diffeo.evaluators.likelihood:LikelihoodEvaluator",
        summary="Log-likelihood of held-out data in nats and bits/dim, with standard errors and a baseline.",
    ),
    Component(
        kind="evaluator",
        name="sample_grid",
        config="diffeo.config_evaluators:SampleGrid",
        implementation="diffeo.evaluators.sample_grid:SampleGridEvaluator",
        summary="A sheet of image samples beside real images, one row per class where there are classes.",
    ),
    Component(
        kind="evaluator",
        name="density_2d",
        config="diffeo.config_evaluators:Density2D",
        implementation="diffeo.evaluators.density_2d:Density2DEvaluator",
        summary="The density of a flow on the plane beside the data and the true density; its integral.",
    ),
]
