"""The mirror images of a run's lesions: looked for where the protocol compares with them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from imaging import contralateral, geometry, midsagittal
from imaging.contralateral import Mirrored
from imaging.isometries import carried, mirror
from imaging.lesions import LesionMeasurement
from imaging.midsagittal import MidsagittalPlane
from imaging.models import Quantification, ReferenceRegion
from imaging.peaks import PeakDefinition
from imaging.segmentation import Indices
from imaging.services.proposals import PROPOSED, STOOD_FOR, Proposals

KIND = ReferenceRegion.Kind.CONTRALATERAL_BRAIN
NO_LESION = "no-lesion"


@dataclass(frozen=True)
class MirrorImages:
    """What was found, with the lesions by number; none where nothing was looked for."""

    mirrored: Mirrored | None = None
    # By lesion number, why it has none.
    refused: dict[str, str] = field(default_factory=dict)


def looked_for(
    made: Proposals,
    values: np.ndarray,
    grid: geometry.Grid,
    found: Sequence[LesionMeasurement],
    *,
    peak: PeakDefinition,
) -> MirrorImages:
    """The mirror images, where a run looks for them; what came of it is told with its proposals."""
    if KIND not in made.outcomes or made.outcomes[KIND] == STOOD_FOR:
        return MirrorImages()
    if not found:
        made.outcomes[KIND] = NO_LESION
        made.reasons[KIND] = (
            "The run has no region to mirror; of one that a reader grows it is looked for then."
        )
        return MirrorImages()
    try:
        mirrored = contralateral.mirrored(values, grid=grid, found=found, peak=peak)
    except midsagittal.MirrorError as error:
        made.outcomes[KIND], made.reasons[KIND] = error.code, error.message
        return MirrorImages()
    made.outcomes[KIND] = PROPOSED
    return MirrorImages(mirrored, {str(n): why for n, (_, why) in mirrored.refused.items()})


def recorded(found: MidsagittalPlane) -> dict:
    """The plane as it is recorded with each region."""
    return {
        "point_mm": list(found.point_mm),
        "normal": list(found.normal),
        "correlation": found.correlation,
        "definition": midsagittal.DEFINITION,
    }


def outlines(
    lesions: Iterable[LesionMeasurement], grid: geometry.Grid, regions: Iterable[ReferenceRegion]
) -> Iterator[tuple[int, Indices]]:
    """Number of the lesion and voxels of each mirror image."""
    voxels = {one.number: one.voxels for one in lesions}
    for region in regions:
        flat = voxels.get(region.lesion.number) if region.lesion else None
        if flat is None:
            continue
        plane = mirror(
            point_mm=tuple(region.plane["point_mm"]), normal=tuple(region.plane["normal"])
        )
        image = carried(flat, source=grid, target=grid, motion=plane)
        yield region.lesion.number, image.flat


def told(run: Quantification) -> list[tuple[str, str]]:
    """Of each lesion without a mirror image why."""
    refused = run.parameters.get("without_mirror_image", {})
    return [(f"{KIND.label} of region {number}", why) for number, why in refused.items()]
