"""Scheduled scans, what was injected for them and the image series that came."""

from __future__ import annotations

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import FilteredRelation, Min, Q
from django.db.models.functions import JSONObject

from imaging.models import Series
from reporting import derived
from reporting.selectors import dose
from reporting.selectors.sources.base import Source, computed, named, subject
from trials.models import ScheduledScan, Trial


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
    report = Q(evidence__variable="ct_dlp", evidence__superseded_by=None, evidence__is_void=False)
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


SCANS = Source(
    _scans,
    {
        **subject("patient__"),
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
                "body_site",
                "extravasation",
                "comment",
                "weight_kg",
                "height_cm",
            )
        },
        "batch_id": "injection__batch",
        "batch_number": "injection__batch__number",
        "given_despite": "injection__despite",
        "uptake_low_minutes": "planned_scan__uptake_low_minutes",
        "uptake_high_minutes": "planned_scan__uptake_high_minutes",
        "activity_low_mbq": "planned_scan__tracer__activity_low_mbq",
        "activity_high_mbq": "planned_scan__tracer__activity_high_mbq",
    },
)

EFFECTIVE_DOSE = Source(
    _doses,
    {
        **subject("patient__"),
        "scan": "pk",
        "tracer": "planned_scan__tracer__name",
        "net_activity_mbq": "injection__net_activity_mbq",
        **{name: computed(of, *dose.INPUTS) for name, of in dose.COLUMNS.items()},
    },
)

SERIES = Source(
    _series,
    {
        **subject("imaging_study__scheduled_scan__patient__"),
        "scan": "imaging_study__scheduled_scan_id",
        "series": "pk",
        "counts_for_scan": "counts",
        **{
            f"scanner_{name}": f"imaging_study__scheduled_scan__injection__scanner__{name}"
            for name in ("manufacturer", "model")
        },
        "flags": computed(derived.words, "current__flags"),
        "suvbw_factor_unit": computed(named("factor_unit"), "current__derivation"),
        "segmentation_method": computed(named("method"), "current__parameters"),
        "threshold_suv": computed(named("suv"), "current__parameters"),
        "minimum_volume_ml": computed(named("minimum_volume_ml"), "current__parameters"),
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
)
