"""The mirror images of regions that a reader grew, placed or drew: of the read, seen by it alone.

Looked for when the region is kept, where the protocol compares lesions with the other side. The
mistake to fear is a ratio to what a reader grew later: before a signature each image that the
reader stands for is held against the regions of the read once more.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from django.utils import timezone

from imaging import contralateral, midsagittal
from imaging.isometries import carried, mirror
from imaging.models import GrownLesion, GrownMirrorImage, LesionRead, Quantification
from imaging.segmentation import Indices
from imaging.services import growing, mirror_images
from imaging.services import quantification as measuring
from imaging.services.open_volumes import OpenVolume
from trials.services.errors import Refused


def are_asked_for(run: Quantification) -> bool:
    """Whether the protocol compares lesions with the other side of the brain."""
    return mirror_images.KIND in run.parameters.get("proposals", {})


def look_ahead(run: Quantification, opened: OpenVolume) -> None:
    """Find the plane before anything is held: it takes a second where it was never found."""
    if are_asked_for(run):
        try:
            _ = opened.midsagittal
        except midsagittal.MirrorError:
            # Said with the region, which is kept all the same.
            return


def look_for(
    grown: GrownLesion, flat: Indices, opened: OpenVolume, others: Iterable[LesionRead]
) -> None:
    """Store the mirror image of a region, or why it has none. Inside an action.

    `others` are the rows of the read but that of the region.
    """
    if not are_asked_for(grown.read.quantification):
        return
    taken = np.concatenate([flat, *(growing.voxels_of(opened, one) for one in others)])
    GrownMirrorImage.objects.create(grown=grown, **_columns(grown, flat, opened, taken))


def _columns(grown: GrownLesion, flat: Indices, opened: OpenVolume, taken: Indices) -> dict:
    try:
        plane = opened.midsagittal
        found = contralateral.image_of(
            opened.suv,
            flat,
            grid=opened.grid,
            plane=plane,
            taken=taken,
            peak=measuring.peak_of(grown.read.quantification.parameters),
        )
    except midsagittal.MirrorError as error:
        return {"code": error.code, "message": error.message}
    except contralateral.NoImageError as error:
        return {"code": error.code, "message": str(error)}
    return {
        "plane": mirror_images.recorded(plane),
        "centre_mm": list(found.centre_mm),
        "voxel_count": found.n,
        "volume_ml": found.volume_ml,
        "suvmean": found.mean,
        "suv_sd": found.sd,
    }


def accept(row: LesionRead) -> None:
    """Stand for the mirror image of a region of a draft. Inside an action."""
    found = image_of(row)
    if found is None or not found.is_proposed:
        raise Refused(
            "mirror-image-not-proposed",
            "This region has no mirror image to accept: it has none, or you accepted it.",
        )
    found.accepted_at = timezone.now()
    found.save(update_fields=["accepted_at"])


def image_of(row: LesionRead) -> GrownMirrorImage | None:
    """The mirror image of a row's grown region, or the row that says why there is none."""
    return getattr(row.grown, "mirror_image", None) if row.grown else None


def found_among(rows: Iterable[LesionRead]) -> list[GrownMirrorImage]:
    """The mirror images that the grown regions among some rows have."""
    images = (image_of(row) for row in rows)
    return [one for one in images if one is not None and one.is_found]


def outlines(opened: OpenVolume, rows: Iterable[LesionRead]) -> Iterator[tuple[int, Indices]]:
    """Number of the region and voxels of each mirror image."""
    for row in rows:
        image = image_of(row)
        if image is not None and image.is_found:
            yield row.number, _voxels(opened, row, image)


def _voxels(opened: OpenVolume, row: LesionRead, image: GrownMirrorImage) -> Indices:
    motion = mirror(point_mm=tuple(image.plane["point_mm"]), normal=tuple(image.plane["normal"]))
    flat = growing.voxels_of(opened, row)
    return carried(flat, source=opened.grid, target=opened.grid, motion=motion).flat


def obstacles(opened: OpenVolume, rows: Sequence[LesionRead]) -> list[str]:
    """A sentence for each accepted mirror image that a region of the read lies in or near."""
    found = []
    accepted = [row for row in rows if (one := image_of(row)) and one.accepted_at]
    if not accepted:
        return []
    taken = np.concatenate([growing.voxels_of(opened, row) for row in rows])
    for row in accepted:
        try:
            contralateral.require_clear(_voxels(opened, row, image_of(row)), taken, opened.grid)
        except contralateral.NoImageError as error:
            found.append(
                f"Region {row.number}: {error} Grow it again in its place, and it is looked for "
                "beside the regions that there are now."
            )
    return found
