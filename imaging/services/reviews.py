"""A person's decision on a series: an SUV that its headers leave open, or that it is the one.

Without the first there is no number; without the second none of several series counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from django.db import IntegrityError

from imaging.counting import keys
from imaging.models import CountingDecision, Quantification, Series, SuvDecision
from imaging.selectors import volumes
from imaging.services import reconciliation
from imaging.suv import SuvScale
from imaging.suv_terms import SuvRefused
from trials import canonical, permissions
from trials.models import User
from trials.services import audit, jobs, queries
from trials.services.errors import Refused

FLAG = "accepted-after-review"


def accept(run: Quantification, *, reason: str, by: User) -> SuvDecision:
    """Let the candidate of a run hold, on the images it was found on; they are measured anew."""
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
                input_sha256=_digest(run.input_sha256, run.derivation),
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
    """The candidate of a refusal, flagged, if a person let this very one hold on these images.

    Other factors, as after a correction of the record, or other doubts are asked about anew.
    """
    if refusal.candidate is None:
        return None
    images, found = volumes.input_digest(series), refusal.derivation()
    known = series.suv_decisions.filter(code=refusal.code)
    if not known.filter(input_sha256=_digest(images, found)).exists():
        earlier = known.filter(input_sha256=images).first()
        if earlier is None or _factors_decided(earlier) != _factors(found):
            return None
    flags = (*refusal.candidate.flags, FLAG)
    return replace(refusal.candidate, flags=flags, status="COMPUTED-FLAGGED")


def _digest(images: str, found: Mapping[str, Any]) -> str:
    """Of what a person decides on: the images, the factors that would hold, all that is open."""
    if "doubts" not in found:
        # A run of an earlier release, which names the first doubt alone.
        return images
    return canonical.sha256(
        {"images": images, "factors": _factors(found), "doubts": sorted(found["doubts"])}
    )


def _factors(found: Mapping[str, Any]) -> list[str]:
    """The factors of a candidate, as far as two computations of them are the same."""
    candidate = found["candidate"]
    factors = candidate["factors"] or [candidate["factor"]]
    return [f"{one:.6g}" for one in sorted(factors)]


def _factors_decided(decision: SuvDecision) -> list[str]:
    """Those of the run that was for review when a decision of an earlier release was made."""
    runs = decision.series.quantifications.filter(
        status=Quantification.Status.REVIEW,
        code=decision.code,
        input_sha256=decision.input_sha256,
        computed_at__lte=decision.decided_at,
    )
    run = runs.order_by("-run").first()
    return _factors(run.derivation) if run and run.derivation.get("candidate") else []
