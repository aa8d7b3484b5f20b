"""Points where a test ends this process: boundaries between steps of intake and reading.

A test arms a point by a file of its name in a folder; the number in it says at which passing the
process kills itself. The file goes before, so that a point kills once. Which folder it is, the
settings of tests alone read from the environment: anywhere else no point does anything.
"""

from __future__ import annotations

import os
import signal

from django.conf import settings

POINTS = (
    # Files that come, whichever way they come.
    "receive.bytes-stored",
    "receive.rows-committed",
    "receive.completed",
    "partial-upload.piece-written",
    "partial-upload.received",
    "c-store.journal-written",
    "c-store.filed",
    # Jobs, in their order.
    "inspect.batch-unpacked",
    "inspect.archive-settled",
    "inspect.before-commit",
    "inspect.committed",
    "release.file-deidentified",
    "release.batch-written",
    "release.proofs-made",
    "release.before-commit",
    "release.committed",
    "clear.before-unlink",
    "clear.after-unlink",
    "clear.committed",
    "assemble.before-commit",
    "assemble.committed",
    "quantify.measured",
    "quantify.before-commit",
    "quantify.committed",
    "write_objects.files-written",
    "write_objects.committed",
    # What a reader keeps.
    "region.measured",
    "region.before-commit",
    "region.committed",
    "destroy.file-removed",
    "destroy.archive-emptied",
)


def reach(name: str) -> None:
    """Pass a point; where a test has armed it, the process ends here as by `kill -9`."""
    if settings.FAULT_POINTS is None:
        return
    armed = settings.FAULT_POINTS / name
    try:
        passings = int(armed.read_text())
    except FileNotFoundError:
        return
    if passings > 1:
        armed.write_text(str(passings - 1))
        return
    armed.unlink()
    os.kill(os.getpid(), signal.SIGKILL)
