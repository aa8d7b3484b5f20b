"""The manifest: what it says, and that it always says it the same way."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta, timezone

from reporting.manifest import File, Manifest, sums

FILES = (
    File("data/scans.csv", "Scans", 3, 120, "b" * 64),
    File("codebook.md", "Codebook, to read", None, 50, "a" * 64),
)


def manifest(**changes) -> Manifest:
    values = {
        "export": 12,
        "trial": "NCT05093335",
        "is_demo": False,
        "protocol_version": "2.0",
        "protocol_sha256": "c" * 64,
        "as_of": datetime(2026, 3, 2, 9, 15, 0, 123456, tzinfo=timezone(timedelta(hours=1))),
        "audit_event": 977,
        "snapshot": "812:812:",
        "software_version": "0.1.0",
        "requested_by": "s.tatistician",
        "requested_at": datetime(2026, 3, 2, 8, 14, tzinfo=UTC),
        "reason": "interim µ-analysis",
        "formats": ("csv", "xpt"),
        "files": FILES,
    }
    return Manifest(**values | changes)


def test_the_text_holds_every_value_as_it_was_given():
    found = json.loads(manifest().text())
    assert found["as_of"] == "2026-03-02T08:15:00.123456Z"
    assert (found["export"], found["trial"], found["audit_event"]) == (12, "NCT05093335", 977)
    assert found["reason"] == "interim µ-analysis"
    assert found["files"][1] == {
        "path": "data/scans.csv",
        "label": "Scans",
        "rows": 3,
        "bytes": 120,
        "sha256": "b" * 64,
        "columns": None,
        "schema_sha256": "",
    }


def test_files_stand_in_the_order_of_their_names():
    paths = [file["path"] for file in manifest().to_json()["files"]]
    assert paths == ["codebook.md", "data/scans.csv"]
    assert manifest(files=FILES[::-1]).text() == manifest().text()


def test_a_reader_can_tell_which_format_it_is():
    assert json.loads(manifest().text())["format"] == "trialtrace-export/1"


def test_a_record_without_history_has_no_last_event():
    assert json.loads(manifest(audit_event=None).text())["audit_event"] is None


def test_the_digests_are_lines_that_sha256sum_checks():
    assert sums(FILES).decode() == f"{'a' * 64}  codebook.md\n{'b' * 64}  data/scans.csv\n"
