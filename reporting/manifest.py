"""The manifest: what an export holds, of which moment, asked for by whom, with digests.

With it a reader who has nothing of ours can tell that the files are complete and unchanged,
and an auditor can find the record as it stood: the database's snapshot says exactly which
transactions of the audit trail were in, also when some were under way.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

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
    # Of reporting.profiles, and the columns that are not as the record has them.
    privacy: str = "full"
    touched: tuple[Touched, ...] = ()
    files: tuple[File, ...]

    def to_json(self) -> dict[str, Any]:
        moments = {"as_of": _moment(self.as_of), "requested_at": _moment(self.requested_at)}
        files = [asdict(file) for file in sorted(self.files, key=lambda file: file.path)]
        return {"format": FORMAT, **asdict(self), **moments, "files": files}

    def text(self) -> str:
        """The manifest as it lies in the export."""
        return json.dumps(self.to_json(), indent=2, ensure_ascii=False) + "\n"


def sums(files: Iterable[File]) -> bytes:
    """The digests as `sha256sum --check` reads them."""
    ordered = sorted(files, key=lambda file: file.path)
    return "".join(f"{file.sha256}  {file.path}\n" for file in ordered).encode()


def _moment(value: datetime) -> str:
    return f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S.%f}Z"
