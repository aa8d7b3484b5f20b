"""Lesions, reference regions, organs and their ratios, of the runs in force."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from operator import itemgetter, truediv

from django.db.models import F, OuterRef, Subquery

from imaging import peaks
from imaging.models import Lesion, LesionPositivity, LesionRatio, ReferenceRegion
from reporting.selectors.sources.base import (
    SCAN_OF_RUN,
    Source,
    address,
    computed,
    measured,
    of_current_runs,
    point,
)
from trials.models import Trial

# Of the grid, as its series was assembled: planes, rows, columns in mm.
SPACING = "quantification__series__assembly__spacing"


def _of_axis(axis: int, values: Sequence[float] | None) -> float | None:
    return values[axis] if values else None


def _peak_voxels(spacing: Sequence[float] | None, definition: str) -> int | None:
    return peaks.voxel_count(_three(spacing), weighted=_weighs(definition)) if spacing else None


def _peak_is_coarse(spacing: Sequence[float] | None, definition: str) -> bool | None:
    if not spacing:
        return None
    return bool(peaks.coarse_words(_three(spacing), weighted=_weighs(definition)))


def _three(spacing: Sequence[float]) -> tuple[float, float, float]:
    depth, height, width = spacing
    return depth, height, width


def _weighs(definition: str) -> bool:
    return definition == peaks.PeakDefinition.WEIGHTED


def _lesions(trial: Trial):
    found = LesionPositivity.objects.filter(lesion=OuterRef("pk"), region__replaced_at=None)
    return of_current_runs(Lesion, "", trial).annotate(
        lesion_pk=F("pk"),
        computed=Subquery(found.values("is_positive")[:1]),
        exceeded=Subquery(found.values("threshold")[:1]),
    )


def _regions(trial: Trial):
    return of_current_runs(ReferenceRegion, "", trial).filter(replaced_at=None)


def _organs(trial: Trial):
    counted = {"quantification__series__counts": True}
    # A mirror image has the shape of a lesion: it is no measure of an organ.
    return (
        _regions(trial)
        .filter(lesion=None, **counted)
        .exclude(status=ReferenceRegion.Status.PROPOSED)
    )


def _ratios(trial: Trial):
    rows = of_current_runs(LesionRatio, "lesion__", trial).filter(region__replaced_at=None)
    return rows.annotate(lesion_pk=F("lesion"))


LESIONS = Source(
    _lesions,
    {
        **measured(""),
        "lesion": "pk",
        **{
            f"{name}_derivation": address(name)
            for name in ("suvmax", "suvmean", "suvpeak", "volume_ml", "total_uptake")
        },
        "drawing": "drawing__series_id",
        "computed_positivity": "computed",
        "positivity_threshold": "exceeded",
        "peak_voxels": computed(_peak_voxels, SPACING, "suvpeak_definition"),
        "peak_is_coarse": computed(_peak_is_coarse, SPACING, "suvpeak_definition"),
        "suvmax_plane": computed(itemgetter(0), "suvmax_voxel"),
        "suvmax_row": computed(itemgetter(1), "suvmax_voxel"),
        "suvmax_column": computed(itemgetter(2), "suvmax_voxel"),
        **point("centroid", "centroid_mm"),
        **{
            f"extent_{axis}_mm": computed(partial(_of_axis, place), "extent_mm")
            for place, axis in enumerate(("planes", "rows", "columns"))
        },
    },
)

REGIONS = Source(
    _regions,
    {
        **measured(""),
        "region": "pk",
        "region_kind": "kind",
        "region_status": "status",
        "mirrors_lesion": "lesion_id",
        "mirror_correlation": "plane__correlation",
        "cv": computed(truediv, "suv_sd", "suvmean"),
        **point("centre", "centre_mm"),
    },
)

ORGANS = Source(
    _organs,
    {
        **measured(""),
        "planned_scan": f"{SCAN_OF_RUN}planned_scan__identifier",
        "tracer": f"{SCAN_OF_RUN}planned_scan__tracer__name",
        "net_activity_mbq": f"{SCAN_OF_RUN}injection__net_activity_mbq",
        "region": "pk",
        "region_kind": "kind",
        "region_status": "status",
        "run": "quantification__run",
    },
)

RATIOS = Source(
    _ratios,
    {
        **measured("lesion__"),
        "lesion": "lesion_id",
        "region": "region_id",
        "region_kind": "region__kind",
        "region_status": "region__status",
        "tbr_derivation": address("tbr"),
        "tbr_peak_derivation": address("tbr_peak"),
        "tbr_mean_derivation": address("tbr_mean"),
    },
)
