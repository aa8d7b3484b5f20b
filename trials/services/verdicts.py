"""Whether a verdict still stands, and who signed it.

A verdict stands until anything it was made on changes: evidence, consent, protocol version,
the time of the scan, a contradiction settled, a value doubted. The one mistake to fear is a
signature that outlives its verdict; it stands exactly as long.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Exists, OuterRef, Prefetch, Q
from django.utils import timezone

from trials import eligibility, permissions, variables
from trials.kleene import Truth
from trials.models import (
    CriterionResult,
    Delegation,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Patient,
    Query,
    ScheduledScan,
    Signature,
    User,
)
from trials.rules import IMPLAUSIBLE
from trials.services import audit, delegations, own_dates, patients, signatures
from trials.services.assessments import counting, criteria_of, record_of, version_of
from trials.services.errors import Refused

Gate = EligibilityCriterion.Gate
Verdict = EligibilityAssessment.Verdict
Duty = Delegation.Duty
# When something changed, and what.
Dated = tuple[datetime, str]


def in_force(
    patient: Patient, *, gate: str, scheduled_scan: ScheduledScan | None = None
) -> EligibilityAssessment | None:
    """The newest assessment of a gate, if nothing it was made on has changed since."""
    newest = patient.assessments.filter(gate=gate, scheduled_scan=scheduled_scan).first()
    return newest if newest and not changed_since(newest) else None


def changed_since(assessment: EligibilityAssessment) -> list[str]:
    """What an assessment was made on and has changed since, a phrase each, with its time."""
    patient, scan, after = assessment.patient, assessment.scheduled_scan, assessment.assessed_at
    zone = ZoneInfo(patient.site.time_zone)
    dated = [
        *((scan.rescheduled_at, "the scan was given another time") for scan in _moved(scan, after)),
        *_described(patient, after),
        *_new_evidence(patient, scan, after),
        *_new_consents(patient, after),
        *_settled(patient, after),
        *_asked(patient, after),
    ]
    phrases = [f"{phrase} on {at.astimezone(zone):%Y-%m-%d at %H:%M}" for at, phrase in dated]
    return [*_version_changes(assessment), *_moved_dates(assessment), *phrases]


def sign(assessment: EligibilityAssessment, *, by: User, password: str) -> Signature:
    """Sign a verdict that stands: its criteria, its inputs by their digest, its version."""
    permissions.require(by, "eligibility.sign", assessment)
    delegations.require(by, Duty.SIGN, assessment.patient.site)
    with audit.action(
        "eligibility.signed",
        actor=by,
        reason=Signature.Meaning.ELIGIBILITY.label,
        trial=assessment.patient.trial_id,
        patient=assessment.patient_id,
    ):
        patients.hold_still(assessment.patient)
        changes = changed_since(assessment)
        newest = assessment.patient.assessments.filter(
            gate=assessment.gate, scheduled_scan=assessment.scheduled_scan
        ).first()
        if changes or newest != assessment:
            why = "; ".join(changes) or "there is a newer one"
            raise Refused("no-longer-stands", f"Assess again before signing: {why}.")
        if signature_in_force(assessment):
            raise Refused("signed-already", "This verdict is signed already.")
        if signatures.of(assessment):
            raise Refused(
                "not-what-was-signed",
                "This verdict was signed, and what is stored is not what was signed: assess again, "
                "and tell who runs the site.",
            )
        return signatures.sign(
            assessment,
            by=by,
            password=password,
            meaning=Signature.Meaning.ELIGIBILITY,
            content=content_of(assessment),
        )


def signature_in_force(assessment: EligibilityAssessment) -> Signature | None:
    """The signature on a verdict, as long as nothing that was signed has changed."""
    signature = signatures.of(assessment)
    if signature is None or changed_since(assessment):
        return None
    return (
        signature if signature.content_sha256 == signatures.digest(content_of(assessment)) else None
    )


def content_of(assessment: EligibilityAssessment) -> dict[str, Any]:
    """What is signed with a verdict."""
    return _content(assessment, assessment.results.select_related("criterion"))


def digests_of(keys: Collection[int]) -> dict[int, str]:
    """The digest a signature on each of these verdicts has to be of; two queries for any number."""
    results = CriterionResult.objects.select_related("criterion").only(
        "assessment_id", "word", "criterion__identifier"
    )
    rows = (
        EligibilityAssessment.objects.filter(pk__in=keys)
        .select_related("patient", "version__trial")
        .defer("inputs", "version__definition", "version__text")
        .prefetch_related(Prefetch("results", results))
    )
    return {row.pk: signatures.digest(_content(row, row.results.all())) for row in rows}


def _content(
    assessment: EligibilityAssessment, results: Iterable[CriterionResult]
) -> dict[str, Any]:
    return {
        "patient": assessment.patient.screening_number,
        "gate": assessment.gate,
        "scheduled_scan": assessment.scheduled_scan_id,
        "protocol_version": str(assessment.version),
        "definition_sha256": assessment.version.definition_sha256,
        "assessed_at": assessment.assessed_at.isoformat(),
        "verdict": assessment.verdict,
        "criteria": {one.criterion.identifier: one.word for one in results},
        "engine": assessment.engine,
        "inputs_sha256": assessment.inputs_sha256,
    }


def gap(scan: ScheduledScan, *, gate: str) -> str:
    """What is missing for an eligible verdict in force on a scan; empty when nothing is.

    Only criteria of that very gate ask for one, and only where they may apply to the scan.
    """
    now = timezone.now()
    criteria = criteria_of(scan.planned_scan.version, gate, again=False)
    dates = own_dates.taken([scan.patient], criteria, now=now).get(scan.patient_id, {})
    record = record_of(scan.patient, scan, now=now, dates=dates)
    asked = [one.identifier for one in criteria if eligibility.applies(one, record) is not Truth.NO]
    standing = in_force(scan.patient, gate=gate, scheduled_scan=scan) if asked else None
    if not asked or (standing and standing.verdict == Verdict.ELIGIBLE):
        return ""
    label = f"{Gate(gate).label} ({', '.join(asked)})"
    if standing:
        return f"{label}: {standing.get_verdict_display().lower()}."
    if scan.assessments.filter(gate=gate).exists():
        return f"{label}: the assessment no longer stands, the record changed after it."
    return f"{label}: not assessed."


def _version_changes(assessment: EligibilityAssessment) -> list[str]:
    version = version_of(assessment.patient, assessment.scheduled_scan)
    if version.pk == assessment.version_id:
        return []
    return [f"{version} took the place of {assessment.version}"]


def _moved_dates(assessment: EligibilityAssessment) -> Iterator[str]:
    patient = assessment.patient
    found = own_dates.moved({patient.pk: assessment.anchors}, [patient])
    yield from (f"{name} has another time now" for name in found.get(patient.pk, ()))


def _moved(scan: ScheduledScan | None, after: datetime) -> Iterator[ScheduledScan]:
    if scan and scan.rescheduled_at and scan.rescheduled_at > after:
        yield scan


def _described(patient: Patient, after: datetime) -> Iterator[Dated]:
    if patient.described_at and patient.described_at > after:
        yield patient.described_at, "sex or date of birth was corrected"


def _new_evidence(patient: Patient, scan: ScheduledScan | None, after: datetime) -> Iterator[Dated]:
    rows = patient.evidence.filter(counting(scan), recorded_at__gt=after)
    corrected = Evidence.objects.filter(superseded_by=OuterRef("pk"))
    for one in rows.annotate(is_correction=Exists(corrected)):
        verb = "corrected" if one.is_correction else "recorded"
        yield one.recorded_at, f"{_label(one)} was {verb}"


def _new_consents(patient: Patient, after: datetime) -> Iterator[Dated]:
    for one in patient.consents.filter(Q(recorded_at__gt=after) | Q(withdrawn_at__gt=after)):
        is_new = one.recorded_at > after
        verb = "recorded" if is_new else "withdrawn"
        yield one.recorded_at if is_new else one.withdrawn_at, f"consent {one.version} was {verb}"


def _settled(patient: Patient, after: datetime) -> Iterator[Dated]:
    for one in patient.trial.settlements.filter(settled_at__gt=after):
        yield one.settled_at, f"the sources' conflict {one.conflict} was settled"


def _asked(patient: Patient, after: datetime) -> Iterator[Dated]:
    """Doubts about evidence that began or ended since."""
    rows = patient.queries.filter(rule=IMPLAUSIBLE, subject_table=Evidence._meta.db_table)
    turned = rows.filter(
        Q(opened_at__gt=after)
        | Q(
            state=Query.State.CLOSED,
            messages__state=Query.State.CLOSED,
            messages__written_at__gt=after,
        )
    )
    for query in turned.distinct():
        about = _label(Evidence.objects.get(pk=query.subject_pk))
        if query.state != Query.State.CLOSED:
            yield query.opened_at, f"a query about {about} was raised"
            continue
        closing = query.messages.filter(state=Query.State.CLOSED).latest("written_at")
        yield closing.written_at, f"a query about {about} was closed"


def _label(evidence: Evidence) -> str:
    return variables.variable(evidence.variable).label.lower()
