"""The core's own manifest: the kinds everything is made of, and the components every flow needs."""

from diffeo.records_evaluators import COMPONENTS as EVALUATORS
from diffeo_registry import Component, Kind, Recipe, hookimpl

BIJECTOR = ("shape", "context_shape")
CASES = "diffeo.conformance:CASES"

KINDS = [
    Kind(name="bijector", plural="bijectors", protocol="diffeo.bijector:Bijector", built_with=BIJECTOR,
         summary="An invertible map, from data to latent.",
         laws="diffeo.testing.tables:BIJECTOR"),
    Kind(name="augmenter", plural="augmenters", protocol="diffeo.augmenter:Augmenter", built_with=BIJECTOR,
         summary="A stochastic step with a deterministic way back.",
         laws="diffeo.testing.tables:AUGMENTER"),
    Kind(name="dequantization", plural="dequantizations", protocol="diffeo.augmenter:Augmenter", built_with=BIJECTOR,
         summary="Integers to continuous data, in front of a flow.",
         laws="diffeo.testing.tables:AUGMENTER"),
    Kind(name="distribution", plural="distributions", protocol="diffeo.distribution:Distribution", built_with=BIJECTOR,
         summary="A base, a prior or a conditional distribution.",
         laws="diffeo.testing.tables:DISTRIBUTION"),
    Kind(name="model", plural="models", protocol="torch.nn:Module", built_with=BIJECTOR,
         summary="What is trained."),
    Kind(name="network", plural="networks", protocol="diffeo.network:Network",
         built_with=("in_shape", "out_shape", "context_shape"), summary="A conditioner network.",
         laws="diffeo.testing.tables:NETWORK"),
    Kind(name="encoder", plural="encoders", protocol="diffeo.network:Encoder", built_with=("shape",),
         summary="Turns a raw context into features.",
         laws="diffeo.testing.tables:ENCODER"),
    Kind(name="objective", plural="objectives", protocol="diffeo.objective:Objective", built_with=("model", "data"),
         summary="What training minimises.",
         laws="diffeo.testing.tables:OBJECTIVE"),
    Kind(name="dataset", plural="datasets", protocol="diffeo.dataset:Dataset", built_with=("seed",),
         summary="Examples by index.",
         laws="diffeo.testing.tables:DATASET"),
    Kind(name="target", plural="targets", protocol="diffeo.dataset:Target", built_with=(),
         summary="An unnormalised log-density.",
         laws="diffeo.testing.tables:TARGET"),
    Kind(name="evaluator", plural="evaluators", protocol="diffeo.evaluator:Evaluator", built_with=(),
         summary="Numbers and pictures of a trained model.",
         laws="diffeo.testing.tables:PLAIN"),
    Kind(name="optimizer", plural="optimizers", protocol="torch.optim:Optimizer", built_with=("parameters",),
         summary="Takes the steps.",
         laws="diffeo.testing.tables:OPTIMIZER"),
    Kind(name="schedule", plural="schedules", protocol="diffeo.schedules:Schedule", built_with=(),
         summary="The learning rate over a run.",
         laws="diffeo.testing.tables:SCHEDULE"),
]  # fmt: skip

COMBINATORS = [
    Component(kind="bijector", name="chain", config="diffeo.config:Chain",
              implementation="diffeo.combinators:ChainBijector", summary="Steps one after the other.",
              cases=CASES),
    Component(kind="bijector", name="repeat", config="diffeo.config:Repeat",
              implementation="diffeo.combinators:RepeatBijector", summary="The same steps several times.",
              cases=CASES),
    Component(kind="bijector", name="invert", config="diffeo.config:Invert",
              implementation="diffeo.combinators:InvertBijector", summary="Steps run backwards.",
              cases=CASES),
    Component(kind="bijector", name="factor_out", config="diffeo.config:FactorOut",
              implementation="diffeo.multiscale:FactorOutBijector",
              summary="Half goes on through more steps, half is emitted.",
              source="Dinh et al. 2017, arXiv:1605.08803, section 3.6",
              cases=CASES),
    Component(kind="bijector", name="multiscale", config="diffeo.config:Multiscale",
              implementation="diffeo.multiscale:MultiscaleBijector",
              summary="Levels of steps with half factored out after each but the last.",
              source="Dinh et al. 2017, arXiv:1605.08803, section 3.6",
              cases=CASES),
]  # fmt: skip

PARTS = [
    Component(kind=("model", "distribution"), name="flow", config="diffeo.config:Flow",
              implementation="diffeo.flow_model:FlowModel", summary="A base distribution seen through steps.",
              source="Papamakarios et al. 2021, arXiv:1912.02762",
              cases=CASES),
    Component(kind="distribution", name="standard_normal", config="diffeo.config:StandardNormal",
              implementation="diffeo.normals:StandardNormalDistribution", summary="N(0, I)."),
    Component(kind="distribution", name="diagonal_normal", config="diffeo.config:DiagonalNormal",
              implementation="diffeo.normals:DiagonalNormalDistribution",
              summary="Independent normals with trainable location and scale."),
    Component(kind="encoder", name="shared", config="diffeo.config:Shared",
              implementation="diffeo.shared:SharedEncoder", summary="One encoder in several places of a model.",
              cases=CASES),
    Component(kind="objective", name="maximum_likelihood", config="diffeo.config:MaximumLikelihood",
              implementation="diffeo.maximum_likelihood:MaximumLikelihoodObjective",
              summary="Minus the log-likelihood, or its bound.",
              cases=CASES),
    Component(kind="target", name="given", config="diffeo.config:Given",
              implementation="diffeo.given:given_target", summary="The target that Python gives with the spec.",
              cases=CASES),
]  # fmt: skip

TRAINING = [
    Component(kind="optimizer", name="adam", config="diffeo.config:Adam",
              implementation="diffeo.optimizers:make_adam", summary="Adam.",
              source="Kingma & Ba 2015, arXiv:1412.6980",
              cases=CASES),
    Component(kind="optimizer", name="adamw", config="diffeo.config:AdamW",
              implementation="diffeo.optimizers:make_adamw", summary="Adam with decoupled weight decay.",
              source="Loshchilov & Hutter 2019, arXiv:1711.05101",
              cases=CASES),
    Component(kind="optimizer", name="adamax", config="diffeo.config:Adamax",
              implementation="diffeo.optimizers:make_adamax", summary="Adam with the infinity norm.",
              source="Kingma & Ba 2015, arXiv:1412.6980",
              cases=CASES),
    Component(kind="optimizer", name="sgd", config="diffeo.config:Sgd",
              implementation="diffeo.optimizers:make_sgd", summary="Stochastic gradient descent.",
              cases=CASES),
    Component(kind="schedule", name="constant", config="diffeo.config:Constant",
              implementation="diffeo.schedules:ConstantSchedule", summary="The learning rate as it is.",
              cases=CASES),
    Component(kind="schedule", name="cosine", config="diffeo.config:Cosine",
              implementation="diffeo.schedules:CosineSchedule", summary="Half a cosine over the run.",
              source="Loshchilov & Hutter 2017, arXiv:1608.03983",
              cases=CASES),
    Component(kind="schedule", name="exponential", config="diffeo.config:Exponential",
              implementation="diffeo.schedules:ExponentialSchedule", summary="A constant factor per step.",
              cases=CASES),
    Component(kind="schedule", name="step", config="diffeo.config:StepDecay",
              implementation="diffeo.schedules:StepDecaySchedule", summary="A factor at each milestone.",
              cases=CASES),
]  # fmt: skip


@hookimpl
def diffeo_components() -> list[Component | Kind | Recipe]:
    """Kinds, combinators, the flow, bases, the objective, optimizers, schedules and evaluators."""
    return [*KINDS, *COMBINATORS, *PARTS, *TRAINING, *EVALUATORS]
