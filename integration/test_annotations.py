"""Shapes and dtypes as annotated, checked at run time: packages are imported through jaxtyping's hook with beartype."""

import json
import subprocess
import sys

CHECK = """
import json
from pathlib import Path
from jaxtyping import install_import_hook

PACKAGES = ("bijectors", "loft", "nested-dropout", "vflow")
install_import_hook(["diffeo", *(f"diffeo_{name.replace('-', '_')}" for name in PACKAGES)], "beartype.beartype")

import torch
import jaxtyping
import diffeo
from diffeo.testing import conformance, directions

BATCHES = ((6,), (), (2, 3), (0,))
MAPS = ("bijector", "elementwise", "encoder", "network", "scale")

def use_map(subject):
    part = subject.map(torch.float32)
    for batch in BATCHES:
        inputs = subject.inputs(part, dtype=torch.float32).reshaped(batch)
        for way in directions(part, inputs):
            way.call(way.source, context=inputs.context)

def use_augmenter(subject):
    part = subject.make()
    for batch in BATCHES:
        x, _, context = subject.inputs(part, dtype=torch.float32).reshaped(batch)
        part.strip(part.augment(x, context=context)[0], context=context)

def use_distribution(subject):
    part = subject.make()
    for batch in BATCHES:
        context = None if part.context_shape is None else torch.randn(*batch, *part.context_shape)
        x = part.sample(() if part.context_shape else batch, context=context)
        part.log_prob(x, context=context)
        part.sample_and_log_prob((), context=context)

USES = dict.fromkeys(MAPS, use_map) | dict.fromkeys(("augmenter", "dequantization"), use_augmenter)
USES["distribution"] = use_distribution
used = dict.fromkeys(USES, 0)
for name in PACKAGES:
    for check in conformance(f"diffeo-{name}"):
        if check.law.name == "builds":
            subject = check.subject(Path())
            if subject.kind in USES:
                USES[subject.kind](subject)
                used[subject.kind] += 1

layer = diffeo.build("bijector", "conv1x1", shape=(2, 3, 3))
try:
    layer(torch.zeros(5, 2, 3, 3, dtype=torch.int64))
except jaxtyping.TypeCheckError:
    print(json.dumps(used))
else:
    raise SystemExit("the import hook is not in effect: an integer image was accepted")
"""


def test_annotations_hold_at_run_time() -> None:
    done = subprocess.run([sys.executable, "-c", CHECK], capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    used = json.loads(done.stdout)
    assert min(used.values()) >= 4, used
