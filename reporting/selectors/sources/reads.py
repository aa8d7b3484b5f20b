"""What readers found: pairs of lesions, findings and response."""

from __future__ import annotations

from functools import partial
from operator import truediv

from imaging.models import (
    GrownMirrorImage,
    LesionComparison,
    LesionPair,
    LesionRead,
    RecistLesion,
    ResponseEvaluation,
)
from imaging.response.recist_lesions import KINDS
from imaging.selectors import comparisons
from reporting import derived
from reporting.selectors.sources.agreement import with_acceptance
from reporting.selectors.sources.base import (
    SCAN_OF_RUN,
    Computed,
    Source,
    computed,
    measured,
    page,
    subject,
)
from trials.models import Finding, Trial
from trials.selectors import counted_reads

_OF_GROWN = "grown__read__"


def _comparisons(trial: Trial):
    of_trial = {f"first__{SCAN_OF_RUN}patient__trial": trial}
    rows = LesionComparison.objects.filter(comparisons.is_standing(), **of_trial)
    return rows.order_by(f"first__{SCAN_OF_RUN}patient__identifier", "pk")


def _pairs(trial: Trial):
    of_trial = {f"comparison__first__{SCAN_OF_RUN}patient__trial": trial}
    return (
        LesionPair.objects.filter(comparisons.is_standing("comparison__"), **of_trial)
        .exclude(status=LesionPair.Status.REJECTED)
        .order_by(f"comparison__first__{SCAN_OF_RUN}patient__identifier", "comparison", "number")
    )


def _lesion_of(side: str) -> dict[str, str | Computed]:
    scan = f"comparison__{side}__{SCAN_OF_RUN}"
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
    rows = Finding.objects.filter(patient__trial=trial, superseded_at=None)
    return with_acceptance(rows, "source_pk").order_by(
        "patient__identifier", "scheduled_scan", "source_pk", "pk"
    )


def _responses(trial: Trial):
    patient = f"later_read__{SCAN_OF_RUN}patient__"
    rows = ResponseEvaluation.objects.filter(**{f"{patient}trial": trial}, is_current=True)
    rows = rows.annotate(counted=counted_reads.why(f"later_read__{SCAN_OF_RUN}pk"))
    return with_acceptance(rows, "later_read").order_by(f"{patient}identifier", "pk")


def _grown_ratios(trial: Trial):
    """Of lesions of reads that stand; as anywhere, of none whose mean noise made negative."""
    rows = GrownMirrorImage.objects.filter(
        grown__read__in=comparisons.standing_reads(),
        grown__lesionread__decision=LesionRead.Decision.ACCEPTED,
        **{f"{_OF_GROWN}{SCAN_OF_RUN}patient__trial": trial},
        grown__suvpeak__gte=0,
        grown__suvmean__gte=0,
    ).exclude(accepted_at=None)
    return with_acceptance(rows, "grown__read").order_by(
        f"{_OF_GROWN}{SCAN_OF_RUN}patient__identifier", "grown__read", "pk"
    )


def _recist_lesions(trial: Trial):
    patient = f"read__{SCAN_OF_RUN}patient__"
    return (
        RecistLesion.objects.filter(
            read__in=comparisons.standing_reads(), **{f"{patient}trial": trial}
        )
        .exclude(state="")
        .order_by(f"{patient}identifier", f"read__{SCAN_OF_RUN}pk", "read", "lesion")
    )


COMPARISONS = Source(
    _comparisons,
    {
        **subject(f"first__{SCAN_OF_RUN}patient__"),
        "comparison": "pk",
        "reader": "reader_id",
        **{
            f"{side}_{name}": f"{side}__{SCAN_OF_RUN}{lookup}"
            for side in ("first", "second")
            for name, lookup in (("scan", "pk"), ("tracer", "planned_scan__tracer__identifier"))
        },
    },
)

PAIRS = Source(
    _pairs,
    {
        **subject(f"comparison__first__{SCAN_OF_RUN}patient__"),
        "comparison": "comparison_id",
        "pair": "pk",
        "kind": "comparison__kind",
        "reader": "comparison__reader_id",
        **_lesion_of("first"),
        **_lesion_of("second"),
        "body_region": "region",
    },
)

FINDINGS = Source(
    _findings,
    {
        **subject("patient__"),
        "scan": "scheduled_scan_id",
        "finding": "pk",
        "read": "source_pk",
        "reader": "evaluator_id",
        "value_number": "number",
        "value_text": "text",
    },
)

RESPONSES = Source(
    _responses,
    {
        **subject(f"later_read__{SCAN_OF_RUN}patient__"),
        "scan": f"later_read__{SCAN_OF_RUN}pk",
        "baseline_scan": f"baseline_read__{SCAN_OF_RUN}pk",
        "evaluation": "pk",
        "not_counting_because": computed(
            lambda counts, why: None if counts else why, "is_accepted", "counted"
        ),
        "reader": "reader_id",
        "read": "later_read_id",
        "baseline_read": "baseline_read_id",
        "change_percent": computed(derived.change_percent, "numbers"),
        "change_percent_derivation": computed(
            lambda pk: page("response_of_patient", pk),
            f"later_read__{SCAN_OF_RUN}patient_id",
        ),
        "numbers": computed(derived.json_text, "numbers"),
        "flags": computed(derived.words, "flags"),
    },
)


def _derivation(quantity: str, grown: int) -> str:
    return page("derivation_grown", grown, quantity)


GROWN_RATIOS = Source(
    _grown_ratios,
    {
        **measured(_OF_GROWN),
        "read": "grown__read_id",
        "reader": "grown__read__reader_id",
        "lesion_number": "grown__lesionread__number",
        "region_kind": computed(lambda _: GrownMirrorImage.kind, "pk"),
        **{
            name: computed(truediv, f"grown__{value}", "suvmean")
            for name, value in (("tbr", "suvmax"), ("tbr_peak", "suvpeak"), ("tbr_mean", "suvmean"))
        },
        **{
            f"{name}_derivation": computed(partial(_derivation, name), "grown_id")
            for name in ("tbr", "tbr_peak", "tbr_mean")
        },
    },
)

RECIST_LESIONS = Source(
    _recist_lesions,
    {
        **subject(f"read__{SCAN_OF_RUN}patient__"),
        "scan": f"read__{SCAN_OF_RUN}pk",
        "read": "read_id",
        "reader": "read__reader_id",
        "kind": computed(lambda name: KINDS[name[0]].upper(), "lesion"),
        "diameter_mm_derivation": computed(lambda pk: page("read", pk), "read_id"),
    },
)
