"""What a page shows of one run of measurement."""

from __future__ import annotations

from imaging import selectors
from imaging.models import Picture, Quantification
from trials import segmentation_methods


def measured(run: Quantification | None) -> dict:
    """The numbers of a run for a page."""
    if run is None:
        return {"run": None}
    return {
        "run": run,
        "method": segmentation_methods.words(run.parameters),
        "is_drawn": run.parameters["method"] == segmentation_methods.IMPORTED,
        "run_flags": selectors.flags_of(run),
        "suv_source": selectors.suv_source_of(run),
        "lesions": selectors.lesions_of(run),
        "regions": list(run.reference_regions.select_related("placed_by")),
        "picture": run.pictures.filter(kind=Picture.Kind.MIP).first(),
        "refused": run.status in (Quantification.Status.REFUSED, Quantification.Status.REVIEW),
    }
