"""Patients, and what was decided about them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from django.contrib.postgres.aggregates import ArrayAgg
from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import Exists, OuterRef, Q, QuerySet, Subquery, Window
from django.db.models.functions import JSONObject, RowNumber

from reporting import derived
from reporting.selectors import allocations
from reporting.selectors.sources.base import Source, computed, named, subject
from trials.models import (
    Allocation,
    Consent,
    CriterionResult,
    EligibilityAssessment,
    Evidence,
    Patient,
    Trial,
    Unblinding,
    Withdrawal,
)
from trials.variables import DETAILS


def _patients(trial: Trial):
    return (
        Patient.objects.filter(trial=trial)
        .annotate(
            signed=ArraySubquery(
                Consent.objects.filter(patient=OuterRef("pk"))
                .order_by("pk")
                .values_list("signed_at", flat=True)
            ),
            reach=Subquery(
                Withdrawal.objects.filter(patient=OuterRef("pk"))
                .order_by("-pk")
                .values("extent")[:1]
            ),
        )
        .order_by("identifier")
    )


def _consents(trial: Trial):
    return Consent.objects.filter(patient__trial=trial).order_by("patient__identifier", "pk")


def _evidence(trial: Trial):
    return Evidence.objects.filter(
        patient__trial=trial, superseded_by=None, is_void=False
    ).order_by("patient__identifier", "variable", "pk")


def _eligibility(trial: Trial):
    """Results of the newest assessment of each patient, gate and scan."""
    return _results(EligibilityAssessment.objects.filter(patient__trial=trial))


def _eligibility_until(trial: Trial, ends: Mapping[str, datetime]):
    """Results of the assessment that was the newest when a day ended by the clock of the site."""
    told = Q(pk__in=())
    for site, end in ends.items():
        told |= Q(patient__site__code=site, assessed_at__lt=end)
    return _results(EligibilityAssessment.objects.filter(told, patient__trial=trial))


def _results(assessments: QuerySet[EligibilityAssessment]):
    """Results of the newest of some assessments of each patient, gate and scan."""
    newest = (
        assessments.annotate(
            age=Window(
                RowNumber(),
                partition_by=["patient", "gate", "scheduled_scan"],
                order_by=["-assessed_at", "-pk"],
            )
        )
        .filter(age=1)
        .values("pk")
    )
    return (
        CriterionResult.objects.filter(assessment__in=newest)
        .annotate(evidence_pks=ArrayAgg("evidence", order_by="evidence", filter=~Q(evidence=None)))
        .order_by(
            "assessment__patient__identifier",
            "assessment__gate",
            "assessment__scheduled_scan",
            "criterion__position",
            "pk",
        )
    )


def _allocations(trial: Trial):
    opened = Exists(Unblinding.objects.filter(allocation=OuterRef("pk")))
    recorded = Evidence.objects.filter(patient=OuterRef("patient"), superseded_by=None)
    recorded = recorded.filter(is_void=False)
    value = JSONObject(pk="pk", variable="variable", value="value", observed_at="observed_at")
    rows = Allocation.objects.filter(trial=trial).annotate(
        is_unblinded=opened,
        recorded=ArraySubquery(
            recorded.filter(variable__in=allocations.STRATIFYING).values(json=value)
        ),
    )
    return rows.order_by("patient__identifier")


PATIENTS = Source(
    _patients,
    {
        **subject(""),
        "birth_year": computed(derived.birth_year, "birth"),
        "age_at_consent": computed(derived.age_at_first, "birth", "signed", "site__time_zone"),
        "consented_at": computed(derived.earliest, "signed", "site__time_zone"),
        "site_time_zone": "site__time_zone",
        "enrolled_at": "enrolment__enrolled_at",
        "is_enrolled_despite_criteria": "enrolment__is_despite_criteria",
        "cohort": "enrolment__cohort__identifier",
        "screen_failure": "screen_failure__category",
        "withdrawal_extent": "reach",
    },
)

CONSENTS = Source(_consents, {**subject("patient__"), "consent": "pk"})

EVIDENCE = Source(
    _evidence,
    {
        **subject("patient__"),
        "evidence": "pk",
        "scan": "scheduled_scan_id",
        "cdisc_code": computed(derived.cdisc_code, "variable"),
        "value": computed(derived.evidence_text, "variable", "value"),
        "value_number": computed(derived.evidence_number, "value"),
        **{name: computed(named(name), "details") for name in DETAILS},
    },
)

ELIGIBILITY = Source(
    _eligibility,
    {
        **subject("assessment__patient__"),
        "assessment": "assessment_id",
        "gate": "assessment__gate",
        "scan": "assessment__scheduled_scan_id",
        "protocol_version": "assessment__version__label",
        "assessed_at": "assessment__assessed_at",
        "verdict": "assessment__verdict",
        "criterion": "criterion__identifier",
        "category": "criterion__category",
        "text": "criterion__text",
        "answer": computed(derived.checklist_answer, "criterion__category", "word"),
        "evidence": computed(derived.words, "evidence_pks"),
        "software_version": "assessment__software_version",
    },
    _eligibility_until,
)

ALLOCATIONS = Source(
    _allocations,
    {
        **subject("patient__"),
        "allocation": "pk",
        "protocol_version": "version__label",
        "stratum_evidence": computed(allocations.sources, "strata"),
        "misstratified": computed(allocations.misstratified, *allocations.STRATA),
        "sequence": computed(allocations.sequence, *allocations.INPUTS),
        "periods": computed(allocations.periods, *allocations.INPUTS),
    },
)

# With the sequence of a concealed allocation too.
ALLOCATIONS_OPENED = Source(
    _allocations,
    {
        **ALLOCATIONS.columns,
        "sequence": computed(allocations.opened_sequence, *allocations.INPUTS),
        "periods": computed(allocations.opened_periods, *allocations.INPUTS),
    },
)
