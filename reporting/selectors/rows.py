"""The rows of each dataset: one query a dataset, however many rows there are.

A dataset's source says where each of its columns is read. Rows are read through a cursor of
the server, so that memory does not grow with the trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from operator import itemgetter, truediv
from types import MappingProxyType
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import Count, Exists, F, FilteredRelation, Min, OuterRef, Q, Subquery, Window
from django.db.models.functions import JSONObject, RowNumber
from django.urls import reverse

from imaging.models import (
    Lesion,
    LesionPair,
    LesionPositivity,
    LesionRatio,
    ReferenceRegion,
    ResponseEvaluation,
    Series,
)
from imaging.selectors import comparisons
from reporting import derived
from reporting.datasets import Dataset
from reporting.selectors import allocations, dose
from trials.models import (
    Allocation,
    Consent,
    CriterionResult,
    Deviation,
    EligibilityAssessment,
    Evidence,
    Finding,
    Patient,
    Query,
    ScheduledScan,
    TracerMovement,
    Trial,
    Unblinding,
    Withdrawal,
)

CHUNK = 2000


@dataclass(frozen=True)
class Computed:
    """A column made by a function of some look-ups."""

    function: Callable[..., Any]
    lookups: tuple[str, ...]


def computed(function: Callable[..., Any], *lookups: str) -> Computed:
    return Computed(function, lookups)


# How far a withdrawal has to reach for nothing of the patient to be used any more.
NO_MORE_USE = (Withdrawal.Extent.USE, Withdrawal.Extent.DESTROY)


@dataclass(frozen=True)
class Source:
    """The rows of a dataset in their order, and for each column its look-up."""

    rows: Callable[[Trial], Any]
    columns: Mapping[str, str | Computed]


def of(dataset: Dataset, trial: Trial) -> Iterator[list[Any]]:
    """The rows of a dataset, each with its values in the order of the columns."""
    source = SOURCES[dataset.name]
    readers = [_reader(dataset, source, name) for name in dataset.column_names]
    lookups = list(dict.fromkeys(lookup for reader in readers for lookup in reader.lookups))
    places = [tuple(lookups.index(lookup) for lookup in reader.lookups) for reader in readers]
    calls = [reader.function for reader in readers]
    rows = _in_use(dataset, source, trial)
    for row in rows.values_list(*lookups).iterator(chunk_size=CHUNK):
        yield [
            call(*(row[place] for place in taken))
            for call, taken in zip(calls, places, strict=True)
        ]


def _in_use(dataset: Dataset, source: Source, trial: Trial) -> Any:
    """The rows whose patients let them be used; a patient stays in the list of patients alone."""
    rows = source.rows(trial)
    patient = source.columns.get("patient", "")
    if dataset.name == "patients" or not isinstance(patient, str) or not patient:
        return rows
    path = patient.removesuffix("identifier")
    return rows.exclude(**{f"{path}withdrawals__extent__in": NO_MORE_USE})


def _reader(dataset: Dataset, source: Source, name: str) -> Computed:
    if name == "record_table":
        return computed(lambda: dataset.table)
    lookup = source.columns.get(name, "pk" if name == "record_pk" else name)
    return lookup if isinstance(lookup, Computed) else computed(_same, lookup)


def _same(value: Any) -> Any:
    return value


def _named(name: str) -> Callable[[dict | None], Any]:
    """A value of a JSON object, None where there is none."""
    return lambda value: (value or {}).get(name)


def _address(quantity: str) -> Computed:
    return computed(lambda pk: reverse("derivation", args=[pk, quantity]), "lesion_pk")


def _subject(path: str) -> dict[str, str | Computed]:
    """Trial, site and patient, by the way from a row to its patient."""
    return {
        "trial": f"{path}trial__identifier",
        "usubjid": computed(derived.usubjid, f"{path}trial__identifier", f"{path}identifier"),
        "site": f"{path}site__code",
        "patient": f"{path}identifier",
    }


def _patients(trial: Trial):
    return (
        Patient.objects.filter(trial=trial)
        .annotate(
            consented_at=Min("consents__signed_at"),
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
    return Evidence.objects.filter(patient__trial=trial, superseded_by=None).order_by(
        "patient__identifier", "variable", "pk"
    )


def _eligibility(trial: Trial):
    """Results of the newest assessment of each patient, gate and scan."""
    newest = (
        EligibilityAssessment.objects.filter(patient__trial=trial)
        .annotate(
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
    rows = Allocation.objects.filter(trial=trial).annotate(is_unblinded=opened)
    return rows.order_by("patient__identifier")


def _scans(trial: Trial):
    current = Q(
        imaging_studies__series__counts=True,
        imaging_studies__series__quantifications__is_current=True,
    )
    return (
        ScheduledScan.objects.filter(patient__trial=trial)
        .annotate(
            uptake_minutes=Min(
                "imaging_studies__series__quantifications__uptake_minutes", filter=current
            )
        )
        .order_by("patient__identifier", "planned_at", "pk")
    )


def _doses(trial: Trial):
    report = Q(evidence__variable="ct_dlp", evidence__superseded_by=None)
    return (
        ScheduledScan.objects.filter(patient__trial=trial)
        .annotate(
            dose_reports=ArrayAgg(
                JSONObject(value="evidence__value", details="evidence__details"),
                filter=report,
                order_by="evidence",
            )
        )
        .order_by("patient__identifier", "planned_at", "pk")
    )


def _series(trial: Trial):
    return (
        Series.objects.filter(imaging_study__scheduled_scan__patient__trial=trial)
        .annotate(
            current=FilteredRelation(
                "quantifications", condition=Q(quantifications__is_current=True)
            )
        )
        .order_by("imaging_study__scheduled_scan__patient__identifier", "pk")
    )


_SCAN_OF_RUN = "quantification__series__imaging_study__scheduled_scan__"


def _of_current_runs(model, path: str, trial: Trial):
    """Rows below the current runs of a trial's series."""
    scan = f"{path}{_SCAN_OF_RUN}"
    within = {f"{scan}patient__trial": trial, f"{path}quantification__is_current": True}
    return model.objects.filter(**within).order_by(
        f"{scan}patient__identifier", f"{path}quantification__series", "pk"
    )


def _lesions(trial: Trial):
    found = LesionPositivity.objects.filter(lesion=OuterRef("pk"), region__replaced_at=None)
    return _of_current_runs(Lesion, "", trial).annotate(
        lesion_pk=F("pk"),
        computed=Subquery(found.values("is_positive")[:1]),
        exceeded=Subquery(found.values("threshold")[:1]),
    )


def _regions(trial: Trial):
    return _of_current_runs(ReferenceRegion, "", trial).filter(replaced_at=None)


def _organs(trial: Trial):
    counted = {"quantification__series__counts": True}
    return _regions(trial).filter(**counted).exclude(status=ReferenceRegion.Status.PROPOSED)


def _ratios(trial: Trial):
    rows = _of_current_runs(LesionRatio, "lesion__", trial).filter(region__replaced_at=None)
    return rows.annotate(lesion_pk=F("lesion"))


def _pairs(trial: Trial):
    of_trial = {f"comparison__first__{_SCAN_OF_RUN}patient__trial": trial}
    return (
        LesionPair.objects.filter(comparisons.is_standing("comparison__"), **of_trial)
        .exclude(status=LesionPair.Status.REJECTED)
        .order_by(f"comparison__first__{_SCAN_OF_RUN}patient__identifier", "comparison", "number")
    )


def _lesion_of(side: str) -> dict[str, str | Computed]:
    scan = f"comparison__{side}__{_SCAN_OF_RUN}"
    return {
        f"{side}_scan": f"{scan}pk",
        f"{side}_tracer": f"{scan}planned_scan__tracer__identifier",
        f"{side}_lesion": f"{side}__number",
        f"{side}_positivity": f"{side}__positivity",
        f"{side}_parts": computed(len, f"{side}_parts"),
        f"{side}_suvmax": computed(
            lambda grown, own: own if grown is None else grown,
            f"{side}__grown__suvmax",
            f"{side}__lesion__suvmax",
        ),
    }


def _findings(trial: Trial):
    return Finding.objects.filter(patient__trial=trial, superseded_at=None).order_by(
        "patient__identifier", "scheduled_scan", "source_pk", "pk"
    )


def _responses(trial: Trial):
    patient = f"later_read__{_SCAN_OF_RUN}patient__"
    return ResponseEvaluation.objects.filter(
        **{f"{patient}trial": trial}, is_current=True
    ).order_by(f"{patient}identifier", "pk")


def _deviations(trial: Trial):
    return Deviation.objects.filter(patient__trial=trial).order_by("patient__identifier", "pk")


def _queries(trial: Trial):
    return (
        Query.objects.filter(trial=trial)
        .annotate(message_count=Count("messages"))
        .order_by("site__code", "pk")
    )


def _movements(trial: Trial):
    return TracerMovement.objects.filter(site__trial=trial).order_by("site__code", "pk")


def _measured(path: str) -> dict[str, str | Computed]:
    """Columns that say on which scan and series something was measured."""
    return {
        **_subject(f"{path}{_SCAN_OF_RUN}patient__"),
        "scan": f"{path}{_SCAN_OF_RUN}pk",
        "series": f"{path}quantification__series_id",
    }


def _point(name: str, lookup: str) -> dict[str, Computed]:
    return {
        f"{name}_{axis}_mm": computed(itemgetter(place), lookup) for place, axis in enumerate("xyz")
    }


SOURCES: Mapping[str, Source] = MappingProxyType(
    {
        "patients": Source(
            _patients,
            {
                **_subject(""),
                "birth_year": computed(derived.birth_year, "birth"),
                "age_at_consent": computed(derived.age_years, "birth", "consented_at"),
                "site_time_zone": "site__time_zone",
                "enrolled_at": "enrolment__enrolled_at",
                "is_enrolled_despite_criteria": "enrolment__is_despite_criteria",
                "cohort": "enrolment__cohort__identifier",
                "screen_failure": "screen_failure__category",
                "withdrawal_extent": "reach",
            },
        ),
        "consents": Source(_consents, {**_subject("patient__"), "consent": "pk"}),
        "evidence": Source(
            _evidence,
            {
                **_subject("patient__"),
                "evidence": "pk",
                "scan": "scheduled_scan_id",
                "cdisc_code": computed(derived.cdisc_code, "variable"),
                "value": computed(derived.evidence_text, "variable", "value"),
                "value_number": computed(derived.evidence_number, "value"),
            },
        ),
        "eligibility": Source(
            _eligibility,
            {
                **_subject("assessment__patient__"),
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
        ),
        "allocations": Source(
            _allocations,
            {
                **_subject("patient__"),
                "allocation": "pk",
                "protocol_version": "version__label",
                "sequence": computed(allocations.sequence, *allocations.INPUTS),
                "periods": computed(allocations.periods, *allocations.INPUTS),
            },
        ),
        "scans": Source(
            _scans,
            {
                **_subject("patient__"),
                "scan": "pk",
                "planned_scan": "planned_scan__identifier",
                "label": "planned_scan__label",
                "tracer": "planned_scan__tracer__name",
                "radionuclide": "planned_scan__tracer__radionuclide",
                **{
                    name: f"injection__{name}"
                    for name in (
                        "assayed_activity_mbq",
                        "assayed_at",
                        "residual_activity_mbq",
                        "residual_at",
                        "injected_at",
                        "net_activity_mbq",
                        "half_life_s",
                        "route",
                        "weight_kg",
                        "height_cm",
                    )
                },
                "uptake_low_minutes": "planned_scan__uptake_low_minutes",
                "uptake_high_minutes": "planned_scan__uptake_high_minutes",
                "activity_low_mbq": "planned_scan__tracer__activity_low_mbq",
                "activity_high_mbq": "planned_scan__tracer__activity_high_mbq",
            },
        ),
        "effective_dose": Source(
            _doses,
            {
                **_subject("patient__"),
                "scan": "pk",
                "tracer": "planned_scan__tracer__name",
                "net_activity_mbq": "injection__net_activity_mbq",
                **{name: computed(of, *dose.INPUTS) for name, of in dose.COLUMNS.items()},
            },
        ),
        "series": Source(
            _series,
            {
                **_subject("imaging_study__scheduled_scan__patient__"),
                "scan": "imaging_study__scheduled_scan_id",
                "series": "pk",
                "counts_for_scan": "counts",
                "flags": computed(derived.words, "current__flags"),
                "suvbw_factor_unit": computed(_named("factor_unit"), "current__derivation"),
                "segmentation_method": computed(_named("method"), "current__parameters"),
                "threshold_suv": computed(_named("suv"), "current__parameters"),
                "minimum_volume_ml": computed(_named("minimum_volume_ml"), "current__parameters"),
                **{
                    name: f"current__{name}"
                    for name in (
                        "run",
                        "status",
                        "suvbw_factor",
                        "suvmax",
                        "uptake_minutes",
                        "input_sha256",
                        "software_version",
                        "computed_at",
                    )
                },
            },
        ),
        "lesions": Source(
            _lesions,
            {
                **_measured(""),
                "lesion": "pk",
                **{
                    f"{name}_derivation": _address(name)
                    for name in ("suvmax", "suvmean", "suvpeak", "volume_ml", "total_uptake")
                },
                "drawing": "drawing__series_id",
                "computed_positivity": "computed",
                "positivity_threshold": "exceeded",
                "suvmax_plane": computed(itemgetter(0), "suvmax_voxel"),
                "suvmax_row": computed(itemgetter(1), "suvmax_voxel"),
                "suvmax_column": computed(itemgetter(2), "suvmax_voxel"),
                **_point("centroid", "centroid_mm"),
            },
        ),
        "regions": Source(
            _regions,
            {
                **_measured(""),
                "region": "pk",
                "region_kind": "kind",
                "region_status": "status",
                "cv": computed(truediv, "suv_sd", "suvmean"),
                **_point("centre", "centre_mm"),
            },
        ),
        "organs": Source(
            _organs,
            {
                **_measured(""),
                "planned_scan": f"{_SCAN_OF_RUN}planned_scan__identifier",
                "tracer": f"{_SCAN_OF_RUN}planned_scan__tracer__name",
                "net_activity_mbq": f"{_SCAN_OF_RUN}injection__net_activity_mbq",
                "region": "pk",
                "region_kind": "kind",
                "region_status": "status",
                "run": "quantification__run",
            },
        ),
        "ratios": Source(
            _ratios,
            {
                **_measured("lesion__"),
                "lesion": "lesion_id",
                "region": "region_id",
                "region_kind": "region__kind",
                "region_status": "region__status",
                "tbr_derivation": _address("tbr"),
                "tbr_peak_derivation": _address("tbr_peak"),
                "tbr_mean_derivation": _address("tbr_mean"),
            },
        ),
        "pairs": Source(
            _pairs,
            {
                **_subject(f"comparison__first__{_SCAN_OF_RUN}patient__"),
                "comparison": "comparison_id",
                "pair": "pk",
                "kind": "comparison__kind",
                "reader": "comparison__reader_id",
                **_lesion_of("first"),
                **_lesion_of("second"),
                "body_region": "region",
            },
        ),
        "findings": Source(
            _findings,
            {
                **_subject("patient__"),
                "scan": "scheduled_scan_id",
                "finding": "pk",
                "read": "source_pk",
                "reader": "evaluator_id",
                "value_number": "number",
                "value_text": "text",
            },
        ),
        "responses": Source(
            _responses,
            {
                **_subject(f"later_read__{_SCAN_OF_RUN}patient__"),
                "scan": f"later_read__{_SCAN_OF_RUN}pk",
                "baseline_scan": f"baseline_read__{_SCAN_OF_RUN}pk",
                "evaluation": "pk",
                "reader": "reader_id",
                "read": "later_read_id",
                "baseline_read": "baseline_read_id",
                "change_percent": computed(derived.change_percent, "numbers"),
                "change_percent_derivation": computed(
                    lambda pk: reverse("response_of_patient", args=[pk]),
                    f"later_read__{_SCAN_OF_RUN}patient_id",
                ),
                "numbers": computed(derived.json_text, "numbers"),
                "flags": computed(derived.words, "flags"),
            },
        ),
        "deviations": Source(
            _deviations,
            {
                **_subject("patient__"),
                "deviation": "pk",
                "values": computed(derived.json_text, "values"),
                "about_table": "subject_table",
                "about_pk": "subject_pk",
            },
        ),
        "tracer_movements": Source(
            _movements,
            {
                "trial": "site__trial__identifier",
                "site": "site__code",
                "movement": "pk",
                "batch": "batch__number",
            },
        ),
        "queries": Source(
            _queries,
            {
                **_subject("patient__"),
                "trial": "trial__identifier",
                "site": "site__code",
                "query": "pk",
                "about_table": "subject_table",
                "about_pk": "subject_pk",
            },
        ),
    }
)
