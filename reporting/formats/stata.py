"""Stata (.dta) by ReadStat: labels of columns, long texts, missing as missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO

import pyreadstat

from reporting.formats import readstat
from reporting.formats.about import About, Change
from reporting.formats.names import LONGEST_STATA_NAME, STATA_WORDS, shortened
from reporting.formats.staged import Staged

LONGEST_LABEL = 80
VERSION = 15
WRITTEN_AT = b"<timestamp>"


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write a .dta of Stata 15 and later; a long text is a strL, moments are %tc, in UTC."""
    names = shortened(staged.dataset.column_names, LONGEST_STATA_NAME, reserved=STATA_WORDS)
    content = readstat.written(
        "dta",
        lambda path: pyreadstat.write_dta(
            readstat.table(staged, names),
            path,
            file_label=staged.dataset.label[:LONGEST_LABEL],
            column_labels=readstat.labels(staged, names, LONGEST_LABEL),
            version=VERSION,
        ),
    )
    target.write(_dated(content, about.as_of))
    return []


def _dated(content: bytes, moment: datetime) -> bytes:
    """The moment of the data in place of the time of writing: the same rows, the same bytes."""
    stamp = f"{moment.astimezone(UTC):%d %b %Y %H:%M}".encode("ascii")
    # One byte before it says how long it is.
    start = content.index(WRITTEN_AT) + len(WRITTEN_AT) + 1
    return content[:start] + stamp + content[start + len(stamp) :]
