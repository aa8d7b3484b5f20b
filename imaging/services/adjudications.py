"""Settling what the readers of a scan differ in: by a third reader, or by the readers together.

Who settles sees the reads beside each other by letters, chooses one or reads anew, says why and
signs; what is signed counts as long as the reads it settles stand. The one mistake to fear is a
choice between reads that are no more what was looked at, which is why each is bound by its digest.
"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from imaging.models import Adjudication, Read, Series
from imaging.selectors import adjudications as selecting
from imaging.services import read_counting, response_orders
from trials import permissions, read_rules
from trials.models import ScheduledScan, Signature, User
from trials.services import audit, signatures, subjects
from trials.services.errors import Invalid, Refused

State = Adjudication.State
ANEW = selecting.ANEW


def begin(series: Series, *, by: User) -> Adjudication:
    """Look at the reads of a series whose readers differ: from here on they are no secret to `by`.

    Of a consensus, the one that the readers share.
    """
    permissions.require(by, "adjudication.sign", series)
    scan = series.imaging_study.scheduled_scan
    with _action("adjudication.begun", scan, by=by, reason="readers differ"):
        Series.objects.select_for_update().get(pk=series.pk)
        _require_waiting(series, by)
        if row := selecting.of_scan(scan):
            _require_shared(row, by)
            return row
        return _begun(scan, by)


def take_over(series: Series, *, by: User, reason: str) -> Adjudication:
    """Settle what another third reader began and can't end: that adjudication is void."""
    permissions.require(by, "adjudication.sign", series)
    audit.require_reason(reason)
    scan = series.imaging_study.scheduled_scan
    with _action("adjudication.taken-over", scan, by=by, reason=reason):
        list(Series.objects.select_for_update().filter(imaging_study__scheduled_scan=scan))
        _require_waiting(series, by)
        row = selecting.of_scan(scan)
        if row is None or not selecting.may_take_over(row, by):
            raise Refused(
                "nothing-to-take-over", "No other reader has begun to settle it: begin yourself."
            )
        _require_not_taken_from(row, by)
        ended = read_counting.void(row, because=selecting.TAKEN_OVER)
        read_counting.settle_after((), ended=ended)
        response_orders.order(scan, by=by)
        return _begun(scan, by)


def sign(
    adjudication: Adjudication, *, by: User, choice: str, reason: str, password: str
) -> Signature:
    """Settle it: `choice` is the letter of a read, or ANEW for the adjudicator's own.

    A consensus counts once each of the readers signed the same choice.
    """
    permissions.require(by, "adjudication.sign", adjudication)
    audit.require_reason(reason)
    scan = adjudication.scheduled_scan
    with _action("adjudication.signed", scan, by=by, reason=reason):
        list(Series.objects.select_for_update().filter(imaging_study__scheduled_scan=scan))
        row = _require_open(adjudication, by)
        row.chosen, row.reason = _chosen(row, choice), reason.strip()
        signature = signatures.sign(
            row,
            by=by,
            password=password,
            meaning=Signature.Meaning.ADJUDICATION,
            content=content_of(row, choice),
        )
        row.state = State.SIGNED if _is_settled(row, choice) else State.PROPOSED
        row.signed_at = timezone.now() if row.state == State.SIGNED else None
        row.save(update_fields=["chosen", "reason", "state", "signed_at"])
        read_counting.settle(scan)
        # Of a baseline it may be another read that later scans are compared with.
        response_orders.order(scan, by=by)
    return signature


def _begun(scan: ScheduledScan, by: User) -> Adjudication:
    row = Adjudication.objects.create(
        scheduled_scan=scan,
        kind=scan.planned_scan.version.read_rule["adjudication"],
        adjudicator=by,
    )
    row.reads.set(read_counting.readers_reads(scan))
    return row


def content_of(row: Adjudication, choice: str) -> dict[str, Any]:
    """What is signed with an adjudication: the reads by their digests, what is chosen and why."""
    sides = selecting.sides(row)
    return {
        "reading": sides[0].read.quantification.series.reading_identifier,
        "kind": row.kind,
        "reads": {one.letter: _sha256(one.read) for one in sides},
        "differences": [
            f"{each.question}: {pair.first} {each.first}, {pair.second} {each.second}"
            for pair in selecting.differing(row)
            for each in pair.differences
        ],
        "chosen": choice,
        "chosen_sha256": _sha256(row.chosen) if row.chosen else "",
        "reason": row.reason,
    }


def _sha256(read: Read) -> str:
    signature = signatures.of(read)
    return signature.content_sha256 if signature else ""


def _chosen(row: Adjudication, choice: str) -> Read:
    if choice == ANEW:
        if row.kind == Adjudication.Kind.CONSENSUS:
            raise Invalid(
                "choice",
                "Readers who settle it together choose one of their reads; who would read "
                "otherwise reads the series again, which is then held against the other anew.",
            )
        own = selecting.own_read(row)
        if own is None:
            raise Invalid("choice", "Read the series anew and sign that read first.")
        return own
    for one in selecting.sides(row):
        if one.letter == choice:
            return one.read
    raise Invalid("choice", "Choose one of the reads.")


def _is_settled(row: Adjudication, choice: str) -> bool:
    """Whether all who have to sign it signed that choice, each the last time that they signed."""
    if row.kind == Adjudication.Kind.THIRD_READER:
        return True
    signed = Signature.objects.filter(**subjects.reference(row)).order_by("pk")
    last = {one.signed_by_id: one.content["chosen"] for one in signed}
    readers = set(row.reads.values_list("reader", flat=True))
    return readers <= {reader for reader, chosen in last.items() if chosen == choice}


def _require_waiting(series: Series, by: User) -> None:
    scan = series.imaging_study.scheduled_scan
    if not selecting.waits(scan):
        raise Refused(
            "nothing-to-adjudicate", "The readers of this series do not differ, or it is settled."
        )
    if not selecting.may_settle(series, by):
        kind = scan.planned_scan.version.read_rule["adjudication"]
        raise Refused(
            "not-the-adjudicator",
            "You read this series: somebody else settles what its readers differ in."
            if kind == read_rules.THIRD_READER
            else "The readers of this series settle together what they differ in.",
        )


def _require_not_taken_from(row: Adjudication, by: User) -> None:
    """Two who take it from each other in turn would settle nothing."""
    until = selecting.taken_from_until(row, by)
    if until and timezone.now() < until:
        raise Refused(
            "taken-over-from-you",
            "Another reader took it over from you: you may take it back from "
            f"{until:%d %B %Y %H:%M} UTC on where it is not signed by then.",
        )


def _require_shared(row: Adjudication, by: User) -> None:
    if row.kind == Adjudication.Kind.THIRD_READER and row.adjudicator_id != by.pk:
        raise Refused(
            "adjudicated-by-another",
            "Another reader has begun to settle it. Who can't wait takes it over.",
        )


def _require_open(adjudication: Adjudication, by: User) -> Adjudication:
    """The adjudication as it is now, held; raises where it is signed or void. Inside an action."""
    held = Adjudication.objects.select_for_update(of=("self",)).get(pk=adjudication.pk)
    _require_shared(held, by)
    if held.state == State.SIGNED:
        raise Refused("adjudication-signed", "It is settled and signed.")
    if held.state == State.VOID:
        raise Refused("adjudication-void", f"This adjudication is void: {held.void_because}")
    _require_waiting(held.reads.first().quantification.series, by)
    return held


def _action(name: str, scan: ScheduledScan, *, by: User, reason: str):
    return audit.action(
        name, actor=by, reason=reason, trial=scan.patient.trial_id, patient=scan.patient_id
    )
