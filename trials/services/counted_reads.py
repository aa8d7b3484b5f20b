"""Which read of a scan counts: kept from a time until a time, and told to the evidence.

Imaging says so, since it alone knows the reads; whoever asks what a scan's readers found asks
`trials.selectors.counted_reads`.
"""

from __future__ import annotations

from django.utils import timezone

from trials.models import CountedRead, ScheduledScan, ScopedModel
from trials.read_rules import Count
from trials.services import patients, read_evidence


def keep(scan: ScheduledScan, found: Count | None, *, source: ScopedModel | None) -> None:
    """That a read counts for a scan, that none does and why, or that none is signed.

    `source` is the signed row that counts. Inside the action that changed it.
    """
    patients.hold_still(scan.patient)
    before = CountedRead.objects.filter(scheduled_scan=scan, ended_at=None).first()
    after = _row(scan, found, source) if found else None
    if _is_same(before, after):
        return
    if before:
        CountedRead.objects.filter(pk=before.pk).update(ended_at=timezone.now())
    if after:
        after.save()
    read_evidence.tell(scan, after)


def _row(scan: ScheduledScan, found: Count, source: ScopedModel | None) -> CountedRead:
    return CountedRead(
        patient=scan.patient,
        scheduled_scan=scan,
        basis=found.basis,
        why=found.why,
        source_table=source._meta.db_table if source else "",
        source_pk=source.pk if source else None,
    )


def _is_same(before: CountedRead | None, after: CountedRead | None) -> bool:
    if before is None or after is None:
        return before is after
    return all(
        getattr(before, name) == getattr(after, name)
        for name in ("basis", "why", "source_table", "source_pk")
    )
