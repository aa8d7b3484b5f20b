"""Source verification: a monitor compared the evidence of a criterion with its source.

A mark is on what the evidence said, by its digest. The one mistake to fear is a mark that
stays on evidence that changed; nothing clears a mark, it stands only while the digest is the
one that was verified.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trials import canonical, eligibility, permissions
from trials.models import EligibilityCriterion, Patient, ScheduledScan, SourceVerification, User
from trials.services import audit, patients
from trials.services.assessments import counted
from trials.services.errors import Invalid, Refused


def verify(
    patient: Patient,
    *,
    seen: Mapping[EligibilityCriterion, str],
    by: User,
    scheduled_scan: ScheduledScan | None = None,
    note: str = "",
) -> list[SourceVerification]:
    """Mark criteria as verified, each with the digest of the evidence that was seen."""
    permissions.require(by, "eligibility.verify", patient)
    if not seen:
        raise Refused("nothing-chosen", "Choose the criteria whose evidence was compared.")
    if scheduled_scan and scheduled_scan.patient_id != patient.pk:
        raise Invalid("scheduled_scan", "This scan belongs to another patient.")
    with audit.action(
        "evidence.verified",
        actor=by,
        reason=note or "compared with the source",
        trial=patient.trial_id,
        patient=patient.pk,
    ):
        patients.hold_still(patient)
        for criterion, digest in seen.items():
            if digest != digest_of(patient, criterion, scan=scheduled_scan):
                raise Refused(
                    "evidence-changed",
                    f"The evidence of {criterion.identifier} changed while you looked at it: "
                    "look again, then verify.",
                )
        return [
            SourceVerification.objects.create(
                patient=patient,
                criterion=criterion,
                scheduled_scan=scheduled_scan,
                evidence_sha256=digest,
                note=note.strip(),
                verified_by=by,
            )
            for criterion, digest in seen.items()
        ]


def digest_of(
    patient: Patient, criterion: EligibilityCriterion, *, scan: ScheduledScan | None = None
) -> str:
    """The digest of all evidence that a criterion reads of a patient, as it stands now."""
    asked = variables_of(criterion)
    content: dict[str, Any] = {
        "sex_at_birth": patient.sex_at_birth,
        "birth": patient.birth,
        "evidence": sorted(
            [one.pk, one.variable, one.value, one.unit, one.observed_at, one.source, one.details]
            for one in counted(patient, scan)
            if one.variable in asked
        ),
    }
    if reads_consent(criterion):
        content["consents"] = [
            [one.pk, one.version, one.signed_at, str(one.withdrawn_at or "")]
            for one in patient.consents.all()
        ]
    return canonical.sha256(content)


def variables_of(criterion: EligibilityCriterion) -> set[str]:
    """The variables that a criterion reads, for whom it applies included."""
    return eligibility.variables_of(criterion.expression) | eligibility.variables_of(
        criterion.applies_to
    )


def reads_consent(criterion: EligibilityCriterion) -> bool:
    """Whether a criterion looks at the consents of a patient, or counts from one."""
    nodes: Iterable[Mapping[str, Any]] = eligibility.nodes(criterion.expression)
    reads = any(node.get("op") == "consent" for node in nodes)
    anchors = eligibility.anchors_in(criterion.expression)
    return reads or "consent" in anchors | eligibility.anchors_in(criterion.applies_to)
