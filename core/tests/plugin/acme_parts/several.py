"""Several command lines one after the other in this process: ``-m acme_parts.several FILE``, a JSON list of them.

Starting Python and torch takes longer than the runs of a test; what each command ends in is written beside the file.
"""

import contextlib
import json
import os
import sys
import tempfile
from pathlib import Path

from diffeo import cli


def main():
    path = Path(sys.argv[1])
    results = []
    for arguments in json.loads(path.read_text()):
        with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
            with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
                status = cli.run(arguments)
            out.seek(0), err.seek(0)
            results.append({"status": status, "out": out.read(), "err": err.read()})
    path.with_suffix(f".{os.environ.get('RANK', '0')}.json").write_text(json.dumps(results))
    sys.stdout.flush()
    os._exit(0)


if __name__ == "__main__":
    main()
