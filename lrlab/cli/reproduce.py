"""`lrlab reproduce`."""

from __future__ import annotations

import sys

from lrlab.cli.failures import DONE, UNLIKE, placed
from lrlab.cli.options import Folder, Json, On, Quiet
from lrlab.cli.output import emit, only_json
from lrlab.cli.run_folders import find_run


def reproduce(run: Folder, on: On = None, json: Json = False, quiet: Quiet = False) -> int:
    """Run it again from its folder alone, and say how equal the numbers came out.

    Exit status 1 where they are different.
    """
    folder = find_run(run)
    with placed(None, str(folder)), only_json():
        from lrlab.workflows.reproduce import DIFFERENT
        from lrlab.workflows.reproduce import reproduce as run_again

        result = run_again(folder, progress=not quiet, on=on)
    if json:
        emit(result._asdict())
    else:
        print(result.sentence)
    sys.stdout.flush()
    return UNLIKE if result.level == DIFFERENT else DONE
