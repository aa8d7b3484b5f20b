"""Results whose intervals count patients, named so that footnotes of several are the same."""

from __future__ import annotations

from dataclasses import replace

from reporting.statistics.results import Result


def over_patients(found: Result, method: str) -> Result:
    """Named for a footnote that is the same of each row: counts have columns of their own."""
    notes = tuple(one for one in found.notes if "clusters" not in one or "interval" in one)
    ends = found.interval and replace(found.interval, method=method)
    return replace(found, interval=ends, notes=notes)
