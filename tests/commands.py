"""Commands that tests run to their end, and what they said where they failed."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

import pytest

LINES = 60


def said(words: Sequence[str], *, timeout: float, logs: Path | None = None, **options) -> str:
    """What a command prints, errors among it; where it fails or hangs its last lines are shown.

    So are those of each file in `logs`, the site's, which the end of the run removes. What a
    fixture captures is lost where several processes divide a run: it must be in the error.
    """
    try:
        done = subprocess.run(
            words,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=timeout,
            **options,
        )
    except subprocess.TimeoutExpired as late:
        _fail(words, f"is not done after {timeout:g} s", late.stdout, logs)
    if done.returncode:
        _fail(words, f"ended with {done.returncode}", done.stdout, logs)
    return done.stdout.decode(errors="replace")


def _fail(words: Sequence[str], how: str, output: bytes | None, logs: Path | None) -> NoReturn:
    told = [f"{' '.join(words)} {how}. It said last:", *_last_lines(output or b"")]
    for log in sorted(logs.glob("*.log")) if logs else ():
        told += [f"{log.name} says last:", *_last_lines(log.read_bytes())]
    pytest.fail("\n".join(told), pytrace=False)


def _last_lines(output: bytes) -> list[str]:
    return output.decode(errors="replace").splitlines()[-LINES:]
