"""Patients with where they stand, for the list and the patient's own page."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import (
    CharField,
    Count,
    Exists,
    F,
    IntegerField,
    JSONField,
    OuterRef,
    Prefetch,
    Q,
    QuerySet,
    Subquery,
)
from django.db.models.functions import Coalesce

from trials.models import (
    ConflictSettlement,
    Consent,
    EligibilityAssessment,
    EligibilityCriterion,
    Evidence,
    Patient,
    PlannedScan,
    ProtocolActivation,
    ProtocolVersion,
    Query,
    ScheduledScan,
    Signature,
)
from trials.models.today import Today
from trials.patient_way import Scan, Standing
from trials.rules import IMPLAUSIBLE
from trials.services import own_dates, verdicts
from trials.services.assessments import counting

ENROLMENT = EligibilityCriterion.Gate.ENROLMENT


def with_randomisation(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """Patients with whether a version of their protocol states sequences to be allocated to."""
    stated = ProtocolVersion.objects.filter(
        trial=OuterRef("trial"), definition__randomisation__sequences__isnull=False
    )
    return patients.annotate(is_randomised=Exists(stated))


def with_standing(patients: QuerySet[Patient]) -> QuerySet[Patient]:
    """Patients with what their way is computed from; a fixed number of queries for any number.

    A verdict stands by the rule of `services.verdicts.changed_since`.
    """
    newest = EligibilityAssessment.objects.filter(patient=OuterRef("pk"), gate=ENROLMENT).order_by(
        "-assessed_at", "-pk"
    )
    in_force = ProtocolActivation.objects.filter(
        site=OuterRef("site_id"), effective_on__lte=Today(OuterRef("site__time_zone"))
    ).order_by("-effective_on", "-pk")
    consents = Consent.objects.filter(patient=OuterRef("pk"))
    evidence = Evidence.objects.filter(patient=OuterRef("pk"))
    scans = ScheduledScan.objects.exclude(state=ScheduledScan.State.CANCELLED)
    return (
        patients.select_related("trial", "site")
        .order_by("identifier", "pk")
        .annotate(
            assessment_id=_of(newest, "pk", IntegerField()),
            assessed_at=_of(newest, "assessed_at"),
            assessed_version=_of(newest, "version_id", IntegerField()),
            assessed_anchors=_of(newest, "anchors", JSONField(null=True)),
            verdict=_of(newest, "verdict", CharField()),
            current_version_id=_of(in_force, "version_id", IntegerField()),
            has_consent=Exists(consents.filter(withdrawn_at=None)),
            has_evidence=Exists(evidence),
            open_queries=_count(
                Query.objects.filter(patient=OuterRef("pk"), state=Query.State.OPEN)
            ),
        )
        .annotate(
            has_newer_record=_recorded_since(evidence, consents),
            signed_sha256=_of(
                Signature.objects.filter(
                    subject_table=EligibilityAssessment._meta.db_table,
                    subject_pk=OuterRef("assessment_id"),
                ),
                "content_sha256",
                CharField(),
            ),
        )
        .prefetch_related(
            Prefetch(
                "scheduled_scans", scans.select_related("planned_scan"), to_attr="current_scans"
            )
        )
    )


def _doubts_turned() -> QuerySet[Query]:
    """Doubts about a patient's evidence that began or ended after the assessment."""
    closed = Query.State.CLOSED
    return Query.objects.filter(patient=OuterRef("pk"), rule=IMPLAUSIBLE).filter(
        Q(opened_at__gt=OuterRef("assessed_at"))
        | Q(
            state=closed,
            messages__state=closed,
            messages__written_at__gt=OuterRef("assessed_at"),
        )
    )


def standing_verdicts(patients: Iterable[Patient]) -> set[int]:
    """Those of `with_standing` whose newest enrolment verdict still counts.

    No query, but where a verdict was counted from visits or scans: a fixed number for all.
    """
    kept = [
        patient
        for patient in patients
        if patient.assessment_id is not None
        and patient.assessed_version == patient.current_version_id
        and not patient.has_newer_record
    ]
    moved = own_dates.moved({one.pk: one.assessed_anchors for one in kept}, kept)
    return {one.pk for one in kept} - set(moved)


def _recorded_since(evidence: QuerySet[Evidence], consents: QuerySet[Consent]) -> Q:
    """What the newest verdict did not see: evidence, consent, a settlement, a doubt that turned."""
    assessed_at = OuterRef("assessed_at")
    settled = ConflictSettlement.objects.filter(
        trial=OuterRef("trial_id"), settled_at__gt=assessed_at
    )
    return (
        Exists(evidence.filter(counting(None), recorded_at__gt=assessed_at))
        | Exists(consents.filter(Q(recorded_at__gt=assessed_at) | Q(withdrawn_at__gt=assessed_at)))
        | Q(described_at__gt=F("assessed_at"))
        | Exists(settled)
        | Exists(_doubts_turned())
    )


def signed(patients: Iterable[Patient]) -> set[int]:
    """Those of `with_standing` whose newest verdict is still what was signed.

    Two queries for any number, none where nothing is signed. Whether the verdict stands is
    another matter: `standing_verdicts`.
    """
    kept = {one.assessment_id: one for one in patients if one.signed_sha256}
    if not kept:
        return set()
    found = verdicts.digests_of(kept)
    return {one.pk for key, one in kept.items() if one.signed_sha256 == found[key]}


def standings(patients: list[Patient]) -> list[tuple[Patient, Standing]]:
    """Each patient from `with_standing` with where the patient stands; three queries for all."""
    intact, standing = signed(patients), standing_verdicts(patients)
    versions = {patient.current_version_id for patient in patients}
    planned: dict[int, list[PlannedScan]] = {}
    for plan in PlannedScan.objects.filter(version__in=versions):
        planned.setdefault(plan.version_id, []).append(plan)
    return [
        (
            patient,
            _standing(
                patient,
                planned.get(patient.current_version_id, []),
                stands=patient.pk in standing,
                is_signed=patient.pk in intact,
            ),
        )
        for patient in patients
    ]


def standing_of(patient: Patient) -> Standing:
    """Where one patient from `with_standing` stands."""
    return standings([patient])[0][1]


def _standing(
    patient: Patient, planned: list[PlannedScan], *, stands: bool, is_signed: bool
) -> Standing:
    given = {scan.planned_scan.identifier for scan in patient.current_scans}
    return Standing(
        state=patient.state,
        has_consent=patient.has_consent,
        has_evidence=patient.has_evidence,
        verdict=patient.verdict if stands else None,
        is_signed=is_signed,
        scans=tuple(
            Scan(scan.pk, scan.planned_scan.label, scan.state) for scan in patient.current_scans
        ),
        unscheduled=tuple(plan.label for plan in planned if plan.identifier not in given),
    )


def _count(rows: QuerySet) -> Coalesce:
    """How many rows, without joining them to the patients."""
    counted = rows.order_by().values("patient").annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted), 0)


def _of(rows: QuerySet, column: str, output_field=None) -> Subquery:
    return Subquery(rows.values(column)[:1], output_field=output_field)
