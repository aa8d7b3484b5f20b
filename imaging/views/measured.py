"""What a page shows of one run of measurement."""

from __future__ import annotations

from imaging import selectors
from imaging.models import Picture, Quantification
from imaging.selectors import adrenals, regions
from imaging.services import mirror_images, proposals
from trials import positivity_rules, segmentation_methods


def measured(run: Quantification | None, *, with_lesions: bool = True) -> dict:
    """The numbers of a run for a page; a read has lesions of its own."""
    if run is None:
        return {"run": None}
    rule = run.parameters.get("positivity")
    in_force = list(regions.in_force(run))
    compared = regions.columns(run, in_force)
    lesions = list(selectors.lesions_of(run)) if with_lesions else []
    regions.line_up(lesions, compared)
    return {
        "run": run,
        "method": segmentation_methods.words(run.parameters),
        "positivity_rule": positivity_rules.words(rule) if rule else "",
        "is_drawn": run.parameters["method"] == segmentation_methods.IMPORTED,
        "is_manual": run.parameters["method"] == segmentation_methods.MANUAL,
        "run_flags": selectors.flags_of(run),
        "suv_source": selectors.suv_source_of(run),
        "lesions": lesions,
        "regions": in_force,
        "not_proposed": [
            *proposals.told(run.parameters, there={one.kind for one in in_force}),
            *mirror_images.told(run),
        ],
        "has_mirror_images": any(one.lesion for one in in_force),
        "has_proposed_region": any(one.is_proposed for one in in_force),
        "compared": compared,
        "adrenals": adrenals.compared(run, in_force),
        "picture": run.pictures.filter(kind=Picture.Kind.MIP).first(),
        "refused": run.status in (Quantification.Status.REFUSED, Quantification.Status.REVIEW),
    }
