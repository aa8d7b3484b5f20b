"""How a number of a reference region came about."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.http import Http404

from imaging.models import GrownMirrorImage, ReferenceRegion
from imaging.selectors.derivations.node import Node, millimetres, undated
from imaging.selectors.derivations.origin import origin
from imaging.selectors.derivations.scale import scale

Region = ReferenceRegion | GrownMirrorImage

OF_REGION = {
    "suvmean": ("SUVmean", "g/mL", "Mean SUVbw of the region's voxels."),
    "suv_sd": ("Standard deviation", "g/mL", "Of the SUVbw of the region's voxels, of a sample."),
    "cv": ("Coefficient of variation", "", "Standard deviation over SUVmean."),
    "suvmax": ("SUVmax", "g/mL", "Highest SUVbw of the region's voxels."),
    "suvpeak": ("SUVpeak", "g/mL", "Highest mean over 1 cm³ around a voxel of the region."),
}


def region_derivation(region: ReferenceRegion, quantity: str, *, with_origin: bool) -> Node:
    """How one number of a reference region came about; origin as in `derivation_of`."""
    if quantity not in OF_REGION or getattr(region, quantity) is None:
        raise Http404
    run = region.quantification
    node = Node(
        f"{OF_REGION[quantity][0]} of {region.get_kind_display().lower()}",
        inputs=(*sphere(region), scale(run, with_origin), origin(run, with_origin)),
        **_of_region(region, quantity),
    )
    return node if with_origin else undated(node)


def _of_region(region: ReferenceRegion, quantity: str) -> dict[str, Any]:
    _, unit, definition = OF_REGION[quantity]
    if quantity == "suvpeak":
        definition = f"{definition} {region.suvpeak_definition}"
    return {"value": getattr(region, quantity), "unit": unit, "source": definition}


def sphere(region: ReferenceRegion) -> Iterator[Node]:
    state = region.get_status_display()
    yield Node("Region", state, source="replaced by another since" if region.replaced_at else "")
    yield Node("Voxels in the region", region.voxel_count)
    yield Node("Centre", millimetres(region.centre_mm), source="in the patient's frame (LPS)")
    if region.lesion is None:
        yield Node("Radius", region.radius_mm, "mm")
    else:
        yield mirror_plane(region)
    for quantity in ("suvmean", "suv_sd"):
        yield Node(OF_REGION[quantity][0], **_of_region(region, quantity))


def mirror_plane(region: Region) -> Node:
    """The plane that a mirror image was found by, and what was mirrored."""
    plane = region.plane
    mirrored = "this region"
    if isinstance(region, ReferenceRegion):
        mirrored = f"lesion {region.lesion.number}"
    return Node(
        "Mirror plane",
        millimetres(plane["point_mm"]),
        source=f"a point of it; {plane['definition']}, found from the symmetry of the head",
        inputs=(
            Node("Normal", ", ".join(f"{one:.4f}" for one in plane["normal"])),
            Node("Correlation of the two sides", plane["correlation"]),
            Node("Mirrored", f"the voxels of {mirrored}"),
        ),
    )


def shape(region: Region) -> str:
    """Where and what a region is, in words."""
    if isinstance(region, GrownMirrorImage) or region.lesion_id is not None:
        return f"the mirror image of the lesion, around {millimetres(region.centre_mm)}"
    return f"a sphere of {region.radius_mm:g} mm radius at {millimetres(region.centre_mm)}"
