"""How the voxels of a lesion were chosen: by the rule, by somebody's drawing, from a click."""

from __future__ import annotations

from collections.abc import Iterator

from django.urls import reverse

from imaging.models import GrownLesion, Instance, Lesion, LesionRead
from imaging.selectors.derivations.node import Node
from trials import segmentation_methods


def segmentation(lesion: Lesion, with_origin: bool) -> Node:
    parameters = lesion.quantification.parameters
    if lesion.drawing:
        return Node(
            "Segmentation",
            segmentation_methods.words(parameters),
            source="protocol version of the trial",
            inputs=(_drawn(lesion, lesion.drawing, with_origin),),
        )
    return Node(
        "Segmentation",
        f"{segmentation_methods.words(parameters)}, 26-connected, at least "
        f"{parameters['minimum_volume_ml']:g} mL",
        source="protocol version of the trial",
        inputs=tuple(_threshold(parameters)),
    )


# How regions become voxels, by the modality of their series.
_RULES = {
    "RTSTRUCT": "A voxel belongs where its centre is inside an odd number of the region's contours "
    "in its plane.",
    "SEG": "The voxels of the segment's frames, each put where it says that it lies.",
}


def _drawn(lesion: Lesion, drawing: Instance, with_origin: bool) -> Node:
    """The contours or the segment that somebody drew, and the file that holds them."""
    series = drawing.series
    address = reverse("series", args=[series.pk]) if with_origin else ""
    return Node(
        "Region",
        f"{lesion.region_number}, {lesion.region_label or 'no label'}",
        source=f"of {series}",
        inputs=(
            Node("Voxels", source=_RULES[series.modality]),
            Node("File", drawing.sha256, source="SHA-256 of the de-identified instance"),
        ),
        address=address,
    )


def grown(lesion: GrownLesion) -> Node:
    plane, row, column = lesion.clicked_voxel
    words = segmentation_methods.click_words(lesion.parameters)
    if lesion.parameters["method"] == segmentation_methods.PLACED:
        place, how = "Middle of the shape", f"placed by the reader: {words}"
    elif lesion.is_drawn:
        place, how = "Hottest voxel", f"drawn by the reader: {words}"
    else:
        place, how = "Clicked", f"grown from a click: {words}, 26-connected"
    return Node(
        "Segmentation",
        how,
        source="protocol version of the trial",
        inputs=(
            Node(place, f"plane {plane}, row {row}, column {column}"),
            Node("Lowest SUV that belongs", lesion.threshold, "g/mL"),
            *(Node(name.capitalize(), suv, "g/mL") for name, suv in lesion.came_to.items()),
            *_instead(lesion),
            *_before(lesion),
        ),
    )


def _instead(lesion: GrownLesion) -> Iterator[Node]:
    """The outline whose place a region took: of the two, the grown one counts."""
    said = LesionRead.objects.filter(grown=lesion).select_related("lesion").first()
    if said and said.lesion:
        yield Node(
            "In place of",
            said.lesion.volume_ml,
            "mL",
            f"region {said.lesion.number} as the measurement outlined it, which does not count",
        )


def _before(lesion: GrownLesion) -> Iterator[Node]:
    """What a region was on the measurement before, where it was grown again on this one."""
    if before := lesion.grown_from:
        run = before.quantification.run
        yield Node("Volume before", before.volume_ml, "mL", f"grown at the same place on run {run}")


def _threshold(parameters: dict):
    """What a reference region came to; a fixed number says itself."""
    if parameters["method"] != segmentation_methods.FIXED_THRESHOLD:
        yield Node("Threshold", parameters["suv"], "g/mL", parameters["why"])
