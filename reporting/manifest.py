"""The manifest: what an export holds, of which moment, asked for by whom, with digests.

With it a reader who has nothing of ours can tell that the files are complete and unchanged,
and an auditor can find the record as it stood: the database's snapshot says exactly which
transactions of the audit trail were in, also when some were under way.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime
from typing import Any

from reporting.blinding import Veiled
from reporting.cut_off import Count
from reporting.datasets.columns import Dataset
from reporting.profiles import Touched

PATH = "manifest.json"
SUMS_PATH = "SHA256SUMS"
FORMAT = "trialtrace-export/1"


@dataclass(frozen=True, slots=True)
class File:
    """One file of the export; `rows` counts without the header, None where it has no rows."""

    path: str
    label: str
    rows: int | None
    bytes: int
    sha256: str
    # Of a dataset: how many columns, and a digest of what they are (see `schema`).
    columns: int | None = None
    schema_sha256: str = ""


@dataclass(frozen=True, slots=True)
class FormVersion:
    """A version of the protocol whose forms the record was entered by."""

    number: int
    label: str
    sha256: str


@dataclass(frozen=True, slots=True)
class CutOffOf:
    """A data cut-off: its day, the rule in words, and what it did to each dataset."""

    day: str
    rule: str
    datasets: tuple[Count, ...]


@dataclass(frozen=True, slots=True)
class Unblinding:
    """Why an export holds what the trial conceals, and the second person who agreed."""

    reason: str
    decided_by: str
    decided_at: str
    decision_reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Everything that says what the files are.

    `as_of` is the database's clock when the snapshot was taken, `audit_event` the last event
    of the audit trail in it, `snapshot` PostgreSQL's own name of it (pg_current_snapshot).
    """

    export: int
    trial: str
    is_demo: bool
    protocol_version: str
    protocol_sha256: str
    as_of: datetime
    audit_event: int | None
    snapshot: str
    software_version: str
    requested_by: str
    requested_at: datetime
    reason: str
    formats: tuple[str, ...]
    # Whether it is of an earlier point of the audit trail, and was read back from that.
    is_read_back: bool = False
    # Of reporting.profiles, and the columns that are not as the record has them.
    privacy: str = "full"
    touched: tuple[Touched, ...] = ()
    # Whether it holds what the trial conceals, who ordered and agreed to that and why; else what
    # is kept back of it, and why.
    is_unblinded: bool = False
    unblinding: Unblinding | None = None
    blind_because: tuple[str, ...] = ()
    veiled: tuple[Veiled, ...] = ()
    cut_off: CutOffOf | None = None
    # What was still open of the record: queries not closed, and complete forms without a signature
    # on what they say.
    open_queries: int | None = None
    unsigned_forms: int | None = None
    form_versions: tuple[FormVersion, ...] = ()
    # By what: SDTM's guide and terminology, and the digest of every dataset's columns.
    mappings: Mapping[str, str] = field(default_factory=dict)
    code_commit: str = ""
    tools: Mapping[str, str] = field(default_factory=dict)
    files: tuple[File, ...]

    def to_json(self) -> dict[str, Any]:
        moments = {"as_of": moment(self.as_of), "requested_at": moment(self.requested_at)}
        files = [asdict(file) for file in sorted(self.files, key=lambda file: file.path)]
        return {"format": FORMAT, **asdict(self), **moments, "files": files}

    def text(self) -> str:
        """The manifest as it lies in the export."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


def schema(dataset: Dataset) -> str:
    """SHA-256 of what the columns of a dataset are: name, type, unit and codes, in their order."""
    said = [
        [one.name, one.type, one.unit, [list(code) for code in one.codes]]
        for one in dataset.columns
    ]
    text = json.dumps([dataset.name, list(dataset.keys), said], ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()


def schemas(datasets: Iterable[Dataset]) -> str:
    """One digest of the columns of several datasets."""
    each = sorted(f"{one.name} {schema(one)}\n" for one in datasets)
    return hashlib.sha256("".join(each).encode()).hexdigest()


def sums(files: Iterable[File]) -> bytes:
    """The digests as `sha256sum --check` reads them."""
    ordered = sorted(files, key=lambda file: file.path)
    return "".join(f"{file.sha256}  {file.path}\n" for file in ordered).encode()


def moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
