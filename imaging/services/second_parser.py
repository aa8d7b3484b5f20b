"""Another parser's list of what stands in a file: dcmdump of DCMTK, where it is installed.

What is read was written by us, but by the process that parsed a site's bytes: so it gets no
shell, nothing of our environment, a limited time, and no more of its output is read than files of
ours have.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from threading import Timer
from typing import IO

from imaging.services.forking import widen

PROGRAM = "dcmdump"
# Elements are looked up by their numbers, and each says its VR: the names of its dictionary, which
# it would read anew for each batch, for as long as it takes to list forty files, tell nothing.
WITHOUT_DICTIONARY = {"DCMDICTPATH": os.devnull}
BATCH = 200
SECONDS = 60.0
# As long as it takes to list a few files.
PAUSE_SECONDS = 0.004
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


class Dumps:
    """What dcmdump prints of the files of each series, made while others are still written.

    with Dumps() as dumps:
        dumps.begin("1.2.3", paths)
        for text in dumps.of("1.2.3"): ...
    """

    def __init__(self) -> None:
        self.program = program()
        self._at_once = ThreadPoolExecutor(len(os.sched_getaffinity(0)))
        self._begun: dict[str, list[Future[str]]] = {}

    def __enter__(self) -> Dumps:
        return self

    def __exit__(self, *_: object) -> None:
        """Nothing of it is at work when this returns: files may be taken away."""
        self._at_once.shutdown(cancel_futures=True)

    def begin(self, series: str, files: Sequence[Path]) -> None:
        """Have these files of a series read."""
        if self.program is None:
            return
        begun = self._begun.setdefault(series, [])
        for start in range(0, len(files), BATCH):
            batch = files[start : start + BATCH]
            begun.append(self._at_once.submit(_dumped, self.program, batch))

    def of(self, series: str) -> Iterator[str]:
        """What is printed of the files of a series that were begun, of some at a time; once.

        Each file has a heading. Of thousands all together is tens of megabytes.

        Raises
        ------
        SecondParserError
            If it can't read one of them, takes too long, or prints more than such files have.
        """
        begun = self._begun.pop(series, [])[::-1]
        while begun:
            yield begun.pop().result()


def _dumped(path: str, files: Sequence[Path]) -> str:
    # Long values are passed over by their lengths (-M): of the pixels another proof is made.
    return _run([path, "+F", "-M", *map(str, files)], sum(map(_most, files)))


def _most(file: Path) -> int:
    return MAXIMUM_BYTES_A_FILE + MAXIMUM_BYTES_A_BYTE * file.stat().st_size


def _run(command: list[str], maximum: int) -> str:
    """Standard output of a program that ends well and in time."""
    with subprocess.Popen(  # noqa: S603  our own words and paths made of digests
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=WITHOUT_DICTIONARY,
        cwd="/",
    ) as child:
        deadline = Timer(SECONDS, child.kill)
        deadline.start()
        try:
            written = _all_of(child.stdout, maximum + 1)
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


def _all_of(pipe: IO[bytes], most: int) -> bytes:
    """What comes through a pipe, as much as that: by many lines, for each is written by itself."""
    widen(pipe)
    pieces, left = list[bytes](), most
    while left and (piece := os.read(pipe.fileno(), left)):
        pieces.append(piece)
        left -= len(piece)
        # Who waits at the pipe is woken for each line, some hundred of a file.
        time.sleep(PAUSE_SECONDS)
    return b"".join(pieces)
