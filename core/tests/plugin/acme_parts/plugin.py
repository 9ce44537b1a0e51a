from diffeo_registry import Component, hookimpl

KINDS = {
    "Stretch": "bijector",
    "Sinh": "bijector",
    "Couple": "bijector",
    "Cliff": "bijector",
    "Center": "bijector",
    "Quirk": "bijector",
    "Append": "augmenter",
    "Fold": "bijector",
    "Jitter": "dequantization",
    "Lift": "encoder",
    "Blob": "dataset",
    "Dice": "dataset",
    "Beads": "dataset",
    "Elbo": "objective",
    "Explode": "objective",
    "Mishap": "objective",
    "Ring": "target",
    "Unit": "optimizer",
    "Bell": "evaluator",
}
FORMER_NAMES = {"Stretch": "elongate"}


@hookimpl
def diffeo_components():
    return [
        Component(
            kind=kind,
            name=name.lower(),
            config=f"acme_parts.config:{name}",
            implementation=f"acme_parts.parts:{name}{kind.capitalize()}",
            summary="For tests.",
            aliases=FORMER_NAMES.get(name, ()),
        )
        for name, kind in KINDS.items()
    ]
