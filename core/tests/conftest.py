"""The tests of the core build flows from a small plugin of their own, installed by its dist-info on the path."""

import sys
from pathlib import Path

PLUGIN = str(Path(__file__).parent / "plugin")
if PLUGIN not in sys.path:
    sys.path.insert(0, PLUGIN)
