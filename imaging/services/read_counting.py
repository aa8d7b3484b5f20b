"""Which read of a scan counts, looked at anew whenever one is signed, ends, or is adjudicated.

Reads that stand are held against each other by what the protocol asks; what they differ in is kept
with both answers, an adjudication of other reads than those that stand is void, and the trial is
told which read counts, or why none does.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from django.db.models import Exists, OuterRef
from django.utils import timezone

from imaging.models import Adjudication, Read
from imaging.selectors import comparisons as selecting
from imaging.services import read_endings, reader_agreement
from trials import discordance, read_rules, response_rules
from trials.models import CountedRead, Finding, ScheduledScan
from trials.services import audit, counted_reads, jobs, patients

OTHER_READS = "A read that it rests on ended, was signed again, or another one was signed."
RESPONSE_ENDED = "A response that the readers are compared by ended with a read of another scan."
RESPONSE_CHANGED = "A response that the readers are compared by was evaluated anew, and is another."
SCAN = "quantification__series__imaging_study__scheduled_scan"


def readers_reads(scan: ScheduledScan) -> list[Read]:
    """The reads of a scan that stand, signed apart, in the order in which they were signed."""
    rows = selecting.standing_reads().filter(**{SCAN: scan}, is_adjudication=False)
    return list(rows.select_related("quantification__series").order_by("signed_at", "pk"))


def settle_after(
    scans: Iterable[ScheduledScan],
    *,
    ended: Collection[ScheduledScan],
    because: str = RESPONSE_ENDED,
) -> set[ScheduledScan]:
    """Settle scans whose reads changed, and those where a response `ended` with them.

    Where readers may differ in the response, what settled it is void; given are the scans where
    that is so. Inside the action.
    """
    voided, later = set(), set()
    # All of it before a patient is held still: who signs an adjudication holds that first.
    for scan in _in_order(ended):
        row = scan.adjudications.exclude(state=Adjudication.State.VOID).first()
        asked = read_rules.asked(scan.planned_scan.version.read_rule)
        if row and read_rules.RESPONSE in asked:
            voided.add(scan)
            later |= void(row, because=because) - {scan}
    if later:
        settle_after((), ended=later)
    for scan in _in_order({*scans, *ended}):
        settle(scan)
    return voided


def _in_order(scans: Iterable[ScheduledScan]) -> list[ScheduledScan]:
    return sorted(scans, key=lambda one: one.pk)


def settle(scan: ScheduledScan) -> None:
    """Say which read of a scan counts now. Inside the action that changed what stands."""
    patients.hold_still(scan.patient)
    reads = readers_reads(scan)
    rule = scan.planned_scan.version.read_rule
    settled, ended = _adjudication(scan, reads)
    asked = read_rules.asked(rule)
    answers = reader_agreement.keep(scan, reads, rule)
    found = None
    if reads:
        found = read_rules.counted(
            rule,
            signed=[one.pk for one in reads],
            are_discordant=bool(discordance.discordant(answers, asked)),
            awaited=[
                response_rules.name(one, scan.planned_scan.version.response_rules)
                for one in discordance.awaited(answers, asked)
            ],
            adjudicated=settled.chosen_id if settled else None,
        )
    source = found and found.read and Read(pk=found.read)
    counted_reads.keep(scan, found, source=source or None)
    # Each time an adjudication is void that was not before, so that this comes to an end.
    settle_after((), ended=ended - {scan})


def settle_due() -> None:
    """The same of scans that an earlier release left without an answer."""
    answered = CountedRead.objects.filter(scheduled_scan=OuterRef("pk"), ended_at=None)
    read = Finding.objects.filter(scheduled_scan=OuterRef("pk"), superseded_at=None)
    for scan in ScheduledScan.objects.filter(Exists(read), ~Exists(answered)).select_related(
        "patient__site", "planned_scan__version"
    ):
        if not readers_reads(scan):
            continue
        with audit.action(
            "reads.counted",
            actor=jobs.system_user(),
            reason="signed under an earlier release",
            trial=scan.patient.trial_id,
            patient=scan.patient_id,
        ):
            settle(scan)


def _adjudication(
    scan: ScheduledScan, reads: Sequence[Read]
) -> tuple[Adjudication | None, set[ScheduledScan]]:
    """The signed adjudication of these very reads; one of others, or of what ended, is void.

    With the scans whose responses ended with one that is void now.
    """
    row = scan.adjudications.exclude(state=Adjudication.State.VOID).first()
    if row is None:
        return None, set()
    is_of_these = {one.pk for one in row.reads.all()} == {one.pk for one in reads}
    if is_of_these and (row.chosen is None or selecting.stands(row.chosen)):
        return (row if row.state == Adjudication.State.SIGNED else None), set()
    return None, void(row, because=OTHER_READS)


def void(row: Adjudication, *, because: str) -> set[ScheduledScan]:
    """An adjudication holds no more, nor what was read to settle it. Inside an action.

    Given are the scans whose responses ended with it, to be settled anew.
    """
    Adjudication.objects.filter(pk=row.pk).update(
        state=Adjudication.State.VOID, voided_at=timezone.now(), void_because=because
    )
    own = Read.objects.filter(
        **{SCAN: row.scheduled_scan_id}, reader=row.adjudicator_id, is_adjudication=True
    )
    own.filter(state=Read.State.DRAFT).update(state=Read.State.OVERTAKEN)
    ended = set()
    for one in own.filter(state=Read.State.SIGNED, superseded_by=None, ended_at=None):
        ended |= read_endings.end_of(one, because=because)
    return ended
