"""Which PET series counts for a scan: settled anew whenever its series or the record change."""

from __future__ import annotations

from collections.abc import Sequence

from imaging import conformance
from imaging.counting import Candidate, Choice, choice, keys
from imaging.models import CountingDecision, Series
from imaging.services import read_results
from trials.models import ScheduledScan
from trials.services import queries

RULE = "several-pet-series"
SETTLED = "It is settled which PET series counts for this scan."


def settle(
    scan: ScheduledScan, candidates: Sequence[Candidate], planned: conformance.Planned
) -> None:
    """Say of each PET series of a scan whether it counts, and why. Inside an action."""
    found = _decided(scan, candidates) or choice(candidates, planned)
    told = {one.key: _told(one, found, candidates) for one in candidates}
    for row in Series.objects.filter(imaging_study__scheduled_scan=scan, modality="PT"):
        counts, because = row.pk == found.key, told.get(row.pk, "")
        has_ended = row.counts and not counts
        if (row.counts, row.counting) != (counts, because):
            row.counts, row.counting = counts, because
            row.save(update_fields=["counts", "counting"])
        if has_ended:
            # Whoever signs or writes a read holds the series, which is held here by now.
            read_results.end([row.pk])
    if found.key is None and len(keys(candidates)) > 1:
        queries.raise_by_rule(
            scan,
            rule=RULE,
            text=f"Several PET series of this scan could count for it. {found.because} Say which "
            "is the one that the protocol plans; a data manager then decides on its page.",
        )
    else:
        queries.settle_by_rule(scan, rule=RULE, text=SETTLED)


def _decided(scan: ScheduledScan, candidates: Sequence[Candidate]) -> Choice | None:
    """What a person chose last, if it was among the very series that there are now."""
    rows = CountingDecision.objects.filter(series__imaging_study__scheduled_scan=scan)
    newest = rows.select_related("decided_by").order_by("pk").last()
    if newest is None or newest.among != keys(candidates):
        return None
    return Choice(newest.series_id, f"Decided by {newest.decided_by}: {newest.reason}")


def _told(one: Candidate, found: Choice, candidates: Sequence[Candidate]) -> str:
    counting = next((other.name for other in candidates if other.key == found.key), None)
    if one.key == found.key:
        return f"Counts for this scan. {found.because}"
    of_scan = f" {counting} counts for this scan." if counting else ""
    if not one.is_attenuation_corrected:
        return f"Not corrected for attenuation: kept, and never measured.{of_scan}"
    if counting:
        return f"Kept and measured, and does not count:{of_scan} {found.because}"
    return f"Not decided which series counts for this scan. {found.because} A data manager decides."
