"""Shapes and dtypes as annotated, checked at run time: both packages are imported through jaxtyping's hook with beartype."""

import os
import subprocess
import sys
from pathlib import Path

CHECK = """
import importlib.util, sys
from jaxtyping import install_import_hook

install_import_hook(["diffeo", "diffeo_bijectors"], "beartype.beartype")
spec = importlib.util.spec_from_file_location("table", sys.argv[1])
table = importlib.util.module_from_spec(spec)
sys.modules["table"] = table
spec.loader.exec_module(table)

import torch
import jaxtyping
from diffeo.testing.inputs import directions

for case in table.CASES:
    bijector = case.build(torch.float32)
    for batch in ((6,), (), (2, 3), (0,)):
        for way in directions(bijector, case.inputs(bijector, dtype=torch.float32).reshaped(batch)):
            context = None if case.context_shape is None else torch.randn(*batch, *case.context_shape)
            way.call(way.source, context=context)
spec = {"flow": {"steps": ["actnorm"], "base": "standard_normal", "dequantization": "uniform"}}
flow = table.diffeo.build("model", spec, shape=(2,))
flow.elbo(torch.zeros(3, 2, dtype=torch.uint8))

layer = table.diffeo.build("bijector", "conv1x1", shape=(2, 3, 3))
try:
    layer(torch.zeros(5, 2, 3, 3, dtype=torch.int64))
except jaxtyping.TypeCheckError:
    print("checked", len(table.CASES))
else:
    raise SystemExit("the import hook is not in effect: an integer image was accepted")
"""


def test_annotations_hold_at_run_time() -> None:
    table = Path(__file__).parent / "conftest.py"
    done = subprocess.run(
        [sys.executable, "-c", CHECK, str(table)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert done.stdout.startswith("checked")
