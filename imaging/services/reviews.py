"""A person's decision on a series: an SUV that its headers leave open, or that it is the one.

Without the first there is no number; without the second none of several series counts.
"""

from __future__ import annotations

from dataclasses import replace

from django.db import IntegrityError

from imaging.counting import keys
from imaging.models import CountingDecision, Quantification, Series, SuvDecision
from imaging.selectors import volumes
from imaging.services import reconciliation
from imaging.suv import SuvScale
from imaging.suv_terms import SuvRefused
from trials import permissions
from trials.models import User
from trials.services import audit, jobs, queries
from trials.services.errors import Refused

FLAG = "accepted-after-review"


def accept(run: Quantification, *, reason: str, by: User) -> SuvDecision:
    """Let the candidate of a run hold, for the images it was found on; they are measured anew."""
    permissions.require(by, "images.decide", run)
    audit.require_reason(reason)
    run.refresh_from_db()
    if not run.is_current or run.status != Quantification.Status.REVIEW:
        raise Refused("not-for-review", "This run is not for review, or not the newest one.")
    if not run.derivation.get("candidate"):
        raise Refused("no-candidate", "There is no candidate that could hold: correct the images.")
    series = run.series
    scan = series.imaging_study.scheduled_scan
    try:
        with audit.action(
            "suv.accepted",
            actor=by,
            reason=reason,
            trial=scan.patient.trial_id,
            patient=scan.patient_id,
        ):
            decision = SuvDecision.objects.create(
                series=series,
                code=run.code,
                input_sha256=run.input_sha256,
                reason=reason.strip(),
                decided_by=by,
            )
            queries.settle_by_rule(series, rule=run.code, text=f"Decided by {by}: {reason}")
            jobs.enqueue("imaging.quantify", actor=by, on=series, series=series.pk)
    except IntegrityError as error:
        raise Refused("accepted-already", "This was decided already.") from error
    return decision


def count(series: Series, *, reason: str, by: User) -> CountingDecision:
    """Let one of several PET series count for its scan."""
    permissions.require(by, "images.decide", series)
    audit.require_reason(reason)
    scan = series.imaging_study.scheduled_scan
    with audit.action(
        "series.chosen",
        actor=by,
        reason=reason,
        trial=scan.patient.trial_id,
        patient=scan.patient_id,
    ):
        among = keys(reconciliation.candidates(scan))
        if series.pk not in among or len(among) < 2:
            raise Refused(
                "no-choice",
                "This series is not one of several of its scan that are corrected for attenuation: "
                "there is nothing to decide.",
            )
        decision = CountingDecision.objects.create(
            series=series, among=among, reason=reason.strip(), decided_by=by
        )
        reconciliation.reconcile(scan)
    return decision


def decided(series: Series, refusal: SuvRefused) -> SuvScale | None:
    """The candidate of a refusal, flagged, if a person let it hold for these very images."""
    if refusal.candidate is None:
        return None
    known = SuvDecision.objects.filter(
        series=series, code=refusal.code, input_sha256=volumes.input_digest(series)
    )
    if not known.exists():
        return None
    flags = (*refusal.candidate.flags, FLAG)
    return replace(refusal.candidate, flags=flags, status="COMPUTED-FLAGGED")
