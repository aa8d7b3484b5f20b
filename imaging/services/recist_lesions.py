"""Lesions on CT for RECIST, as a reader types them in beside the PET: whole lists, in a draft."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from django.db.models import QuerySet
from django.utils import timezone

from imaging.models import Read, RecistLesion
from imaging.response import recist_lesions as rules
from imaging.response.recist_lesions import Lesions
from imaging.selectors import comparisons as selecting
from imaging.selectors.recist import of, rule_of
from trials import permissions
from trials.models import ScheduledScan, User
from trials.selectors import counted_reads
from trials.services import audit
from trials.services.errors import Invalid, Refused

_SCAN = "quantification__series__imaging_study__scheduled_scan"


def frozen(read: Read) -> list[dict[str, Any]]:
    """The lesions of a read as plain JSON."""
    return [asdict(one) for one in of(read)]


def baseline_of(read: Read) -> Lesions | None:
    """The lesions of the same reader's signed baseline; None where the read is the baseline.

    Who settles what readers differ in follows the baseline read that counts, whoever signed it.
    Refused where there is none.
    """
    scan = _scan_of(read)
    rule = rule_of(scan)
    if rule is None:
        raise Refused("no-recist", "The protocol judges no response by RECIST on this scan.")
    if scan.planned_scan.identifier == rule["baseline"]:
        return None
    reads = (
        selecting.standing_reads()
        .filter(
            **{
                f"{_SCAN}__patient": scan.patient_id,
                f"{_SCAN}__planned_scan__identifier": rule["baseline"],
                f"{_SCAN}__planned_at__lt": scan.planned_at,
            },
        )
        .order_by(f"{_SCAN}__planned_at", "pk")
    )
    if read.is_adjudication:
        return of(_counting(reads))
    baseline = reads.filter(reader=read.reader_id).last()
    if baseline is None:
        raise Refused(
            "no-baseline-read", "Sign your read of the baseline first: its lesions are followed."
        )
    return of(baseline)


def _counting(reads: QuerySet[Read]) -> Read:
    """The last of some reads that counts for its scan."""
    found = reads.filter(counted_reads.accepted(Read._meta.db_table, "pk")).last()
    if found is None:
        raise Refused(
            "no-baseline-counts",
            "No read of the baseline counts yet: the lesions of the one that does are followed, so "
            "its readers have to agree, or what they differ in has to be settled, first.",
        )
    return found


def record(read: Read, lesions: Sequence[rules.RecistLesion], *, by: User) -> None:
    """Put a whole list in the place of the one before, in the own draft."""
    permissions.require(by, "read.edit", read)
    if read.reader_id != by.pk:
        raise Refused("not-your-read", "A read is changed and signed by its own reader alone.")
    found = sorted(rules.problems(lesions, baseline_of(read)))
    if found:
        name, text = found[0]
        raise Invalid(name, text)
    scan = _scan_of(read)
    with audit.action(
        "response.recist",
        actor=by,
        reason="reading",
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        held = Read.objects.select_for_update(of=("self",)).get(pk=read.pk)
        if held.state != Read.State.DRAFT:
            raise Refused(
                "read-signed", "This read is not a draft. To change it, read the series again."
            )
        _keep(held, {one.name: one for one in lesions})


def obstacles(read: Read) -> list[str]:
    """What stands in the way of signing a list: the baseline may be another one by then.

    Nothing recorded is signed as that, and is not evaluable.
    """
    lesions = of(read) if rule_of(_scan_of(read)) else []
    if not lesions:
        return []
    try:
        return [text for _, text in sorted(rules.problems(lesions, baseline_of(read)))]
    except Refused as refusal:
        return [refusal.message]


def carry(earlier: Read, read: Read) -> None:
    """Take over what was recorded in an earlier draft, where it is asked still. In an action."""
    if rule_of(_scan_of(read)) is not None:
        _keep(read, {one.name: one for one in of(earlier)})


def _keep(read: Read, lesions: Mapping[str, rules.RecistLesion]) -> None:
    now = timezone.now()
    empty = {"region": "", "state": "", "diameter_mm": None, "recorded_at": now}
    RecistLesion.objects.filter(read=read).exclude(state="").exclude(lesion__in=lesions).update(
        **empty
    )
    for name, one in lesions.items():
        RecistLesion.objects.update_or_create(
            read=read,
            lesion=name,
            defaults={
                "region": one.region,
                "state": one.state,
                "diameter_mm": one.diameter_mm,
                "recorded_at": now,
            },
        )


def _scan_of(read: Read) -> ScheduledScan:
    return read.quantification.series.imaging_study.scheduled_scan
