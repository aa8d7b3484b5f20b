"""Another parser's list of what stands in a file: dcmdump of DCMTK, where it is installed.

What is read was written by us, but by the process that parsed a site's bytes: so it gets no
shell, no environment, a limited time, and no more of its output is read than files of ours have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Timer

PROGRAM = "dcmdump"
# It reads its dictionary anew each time.
BATCH = 200
SECONDS = 60.0
# A file of ours has about a hundred lines of as many letters. Regions have a line to some thirty
# bytes of their file.
MAXIMUM_BYTES_A_FILE = 2**17
MAXIMUM_BYTES_A_BYTE = 8
UNREAD = "dcmdump could not read every file that was written, or not in time."


class SecondParserError(Exception):
    """The second parser gave no list; the sentence says why."""


def program() -> str | None:
    """Path of dcmdump; None where it is not installed."""
    return shutil.which(PROGRAM)


def version(path: str) -> str:
    """The version as dcmdump says it: "3.6.7"."""
    found = re.search(r"dcmdump v(\S+)", _run([path, "--version"], MAXIMUM_BYTES_A_FILE))
    return found[1] if found else "of unknown version"


def dump(path: str, files: Sequence[Path]) -> str:
    """What dcmdump prints of the files, each under a heading.

    Raises
    ------
    SecondParserError
        If it can't read one of them, takes too long, or prints more than such files have.
    """
    batches = [files[start : start + BATCH] for start in range(0, len(files), BATCH)]

    # Long values are passed over by their lengths (-M): of the pixels another proof is made.
    def dumped(batch: Sequence[Path]) -> str:
        return _run([path, "+F", "-M", *map(str, batch)], sum(map(_most, batch)))

    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as at_once:
        return "".join(at_once.map(dumped, batches))


def _most(file: Path) -> int:
    return MAXIMUM_BYTES_A_FILE + MAXIMUM_BYTES_A_BYTE * file.stat().st_size


def _run(command: list[str], maximum: int) -> str:
    """Standard output of a program that ends well and in time."""
    with subprocess.Popen(  # noqa: S603  our own words and paths made of digests
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    ) as child:
        deadline = Timer(SECONDS, child.kill)
        deadline.start()
        try:
            written = child.stdout.read(maximum + 1)
            if len(written) > maximum:
                child.kill()
            status = child.wait()
        finally:
            deadline.cancel()
    if len(written) > maximum:
        raise SecondParserError("dcmdump printed more than such files have.")
    if status:
        raise SecondParserError(UNREAD)
    return written.decode("utf-8", "replace")
