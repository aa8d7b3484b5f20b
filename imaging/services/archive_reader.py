"""Opens an archive in a process that is locked in, and holds it to its limits from outside.

A limit inside a process that hostile bytes may have taken over is no limit: frames, bytes and
time are counted here, and the child is killed for one too many. Use it from the main thread; the
child ends with the thread that started it.
"""

from __future__ import annotations

import json
import os
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import Event, Timer
from typing import IO, Any

from imaging import archives
from imaging.archives import ArchiveError, Content, Limits

START_SECONDS = 60.0
# For one file of an archive, which is 64 MiB at most; all before the first file counts as one.
FILE_SECONDS = 30.0
MAXIMUM_HEADER_BYTES = 2**16

_FRAME = struct.Struct(">II")
_PROGRAM = """
import sys
sys.path[:0] = sys.argv[3:]
from imaging.archive_child import main
main()
"""


class ReaderError(Exception):
    """The process that opens archives could not be started; the sentence says why."""


class ReaderDiedError(ArchiveError):
    """The archive ended the process that opened it, or kept it too long."""

    def __init__(self) -> None:
        super().__init__("archive-damaged")


def contents(
    archive: IO[bytes],
    *,
    limits: Limits,
    with_bytes: bool,
    file_seconds: float = FILE_SECONDS,
) -> Iterator[Content]:
    """The files of an archive as `archives.contents` gives them, or without their bytes.

    Raises
    ------
    ArchiveError
        With the verdict; also where the archive breaks the process.
    ReaderError
        Where no process could be locked in: then nothing is opened.
    """
    with _child(archive, limits, with_bytes=with_bytes) as child:
        left, seen = limits.total_bytes, 0
        while True:
            header, data = _frame(child, most=min(left, limits.entry_bytes), seconds=file_seconds)
            if "kind" not in header:
                break
            left, seen = left - len(data), seen + 1
            if seen > limits.entries:
                raise ReaderDiedError
            yield _content(header, data)
        _require_end(header)


def _content(header: dict[str, Any], data: bytes) -> Content:
    """What a frame says, held to its form: the child that sent it is not trusted."""
    number, kind = header.get("number"), header["kind"]
    if not isinstance(number, int) or kind not in archives.KINDS:
        raise ReaderDiedError
    return Content(number, kind, data)


def _require_end(header: dict[str, Any]) -> None:
    code, number = header.get("code"), header.get("number")
    if isinstance(code, str) and code in archives.SENTENCES and isinstance(number, int):
        raise ArchiveError(code, number)
    if header.get("end") is not True:
        raise ReaderDiedError


@contextmanager
def _child(
    archive: IO[bytes], limits: Limits, *, with_bytes: bool
) -> Iterator[subprocess.Popen[bytes]]:
    asked = json.dumps({"limits": asdict(limits), "with_bytes": with_bytes})
    ours = str(Path(__file__).resolve().parents[2])
    child = subprocess.Popen(  # noqa: S603  our own child
        [sys.executable, "-I", "-S", "-c", _PROGRAM, str(os.getpid()), asked, ours],
        stdin=archive,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env={},
        cwd="/",
    )
    try:
        _require_ready(child)
        yield child
    finally:
        child.kill()
        child.wait()
        child.stdout.close()


def _require_ready(child: subprocess.Popen[bytes]) -> None:
    try:
        answer, _ = _frame(child, most=0, seconds=START_SECONDS)
    except ArchiveError as error:
        raise ReaderError("The process that opens archives did not start.") from error
    if "ready" not in answer:
        raise ReaderError(
            f"The process that opens archives refused to start: {answer.get('refused')}"
        )


def _frame(
    child: subprocess.Popen[bytes], *, most: int, seconds: float
) -> tuple[dict[str, Any], bytes]:
    """The next answer, no later than `seconds` from now; the kill ends a read that waits."""
    too_late = Event()

    def end() -> None:
        too_late.set()
        child.kill()

    deadline = Timer(seconds, end)
    deadline.start()
    try:
        return _read(child.stdout, most)
    except (OSError, ValueError, RecursionError, struct.error) as error:
        raise ReaderDiedError from error
    finally:
        deadline.cancel()
        deadline.join()


def _read(pipe: IO[bytes], most: int) -> tuple[dict[str, Any], bytes]:
    header, body = _FRAME.unpack(pipe.read(_FRAME.size))
    if header > MAXIMUM_HEADER_BYTES or body > most:
        raise ValueError("the answer is longer than was agreed")
    answer, data = json.loads(pipe.read(header)), pipe.read(body)
    if len(data) != body or not isinstance(answer, dict):
        raise ValueError("the answer is not whole")
    return answer, data
