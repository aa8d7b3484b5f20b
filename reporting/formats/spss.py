"""SPSS (.sav) by ReadStat: labels of columns and of values, missing as missing."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import IO, Any

import pyreadstat

from reporting.datasets import Type
from reporting.formats import readstat
from reporting.formats.about import About, Change
from reporting.formats.names import SPSS_WORDS, shortened
from reporting.formats.staged import Staged

LONGEST_NAME, LONGEST_LABEL = 64, 256
# Bytes of values that can have a label.
LONGEST_LABELLED = 8
# Where the header says when it was written.
WRITTEN_AT = 92


def write(staged: Staged, target: IO[bytes], about: About) -> list[Change]:
    """Write a .sav; moments are SPSS's own, in UTC.

    Codes have their meaning as value labels where none of the column is longer than SPSS labels;
    the codebook has them all.
    """
    names = shortened(staged.dataset.column_names, LONGEST_NAME, reserved=SPSS_WORDS)
    content = readstat.written(
        "sav",
        lambda path: pyreadstat.write_sav(
            readstat.table(staged, names),
            path,
            file_label=staged.dataset.label,
            column_labels=readstat.labels(staged, names, LONGEST_LABEL),
            variable_value_labels=_value_labels(staged, names),
        ),
    )
    target.write(_dated(content, about.as_of))
    return []


def _value_labels(staged: Staged, names: dict[str, str]) -> dict[str, dict[Any, str]]:
    return {
        names[column.name]: dict(column.codes)
        for column in staged.dataset.columns
        if column.codes
        and column.type in {Type.TEXT, Type.FLAG}
        and all(len(code.encode()) <= LONGEST_LABELLED for code, _ in column.codes)
    }


def _dated(content: bytes, moment: datetime) -> bytes:
    """The moment of the data in place of the time of writing: the same rows, the same bytes."""
    stamp = f"{moment.astimezone(UTC):%d %b %y%H:%M:%S}".encode("ascii")
    return content[:WRITTEN_AT] + stamp + content[WRITTEN_AT + len(stamp) :]
