"""Segmentation and report of a signed read: the lesions that its reader stands for.

Accepted regions are segments with their numbers, those that the reader grew among them; excluded
ones are named in the report with organ and reason. The map of values is that of the run.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial

import numpy as np
from pydicom.dataset import Dataset

from imaging import clicks
from imaging.derived_objects import ObjectError, Reader
from imaging.geometry import Grid
from imaging.lesion_report import ExcludedRow, LesionRow, Rows
from imaging.lesion_segments import Origin, Outline
from imaging.models import GrownLesion, LesionRead, Quantification, Read, ReferenceRegion
from imaging.selectors import comparisons, regions
from imaging.selectors import reads as selecting
from imaging.services import object_writing
from imaging.services.object_writing import Found
from imaging.value_map import KIND as VALUE_MAP
from trials import segmentation_methods
from trials.services import jobs

ACCEPTED, EXCLUDED = LesionRead.Decision.ACCEPTED, LesionRead.Decision.EXCLUDED


def write(claim: jobs.Claim) -> None:
    """Write a signed read; nothing where its series was measured again before that."""
    read = Read.objects.get(pk=claim.arguments["read"])
    row = object_writing.load(read.quantification_id)
    said = selecting.rows_of(read)
    found = object_writing.begun(claim, row, partial(outlines_of, said))
    if found is None:
        return

    def holds() -> bool:
        return comparisons.stands(read)

    made = made_of(read, row, said, found)
    object_writing.store(claim, row, made, holds=holds, read=read)


def made_of(
    read: Read, row: Quantification, said: Sequence[LesionRead], found: Found
) -> list[Dataset]:
    """Segmentation of what was accepted, and report of all that was said."""
    reader = Reader(number=read.reader_id, read=read.pk)
    own = replace(found, source=replace(found.source, reader=reader))
    # As they were when the read was signed: another reader may have replaced one since.
    stood_for = list(regions.stood_for(row, at=read.signed_at).order_by("kind", "pk"))
    in_force = [one for one in stood_for if one.lesion_id is None]
    columns = regions.columns(row, stood_for)
    rows = Rows(
        lesions=tuple(lesion_row(one, row, columns) for one in said if one.decision == ACCEPTED),
        regions=tuple(object_writing.region_row(one, found.grid) for one in in_force),
        method=object_writing.method_of(row),
        excluded=tuple(_excluded(one) for one in said if one.decision == EXCLUDED),
    )
    return [ds for ds in object_writing.made_of(own, rows) if ds.Modality != VALUE_MAP]


def outlines_of(
    said: Sequence[LesionRead], row: Quantification, values: np.ndarray, grid: Grid
) -> list[Outline]:
    """The regions that a read accepted, as the run outlined them or as its reader grew them."""
    ours = {one.number: one for one in object_writing.outlines_of(row, values, grid)}
    accepted = [one for one in said if one.decision == ACCEPTED]
    return [
        _grown(one.number, one.grown, values, grid)
        if one.grown
        else replace(ours[one.lesion.number], number=one.number)
        for one in accepted
    ]


def _grown(number: int, grown: GrownLesion, values: np.ndarray, grid: Grid) -> Outline:
    """The voxels that a kept click took in; grown again, for they are not stored."""
    place = tuple(grown.clicked_voxel)
    flat = clicks.grown(values, place, grid=grid, method=grown.parameters).flat
    if flat.size != grown.voxel_count:
        raise ObjectError(
            "outlines-differ",
            f"Grown again, region {number} has {flat.size} voxels, and {grown.voxel_count} in the "
            "record: read the series again, and this is written of the new read.",
        )
    origin = Origin.MANUAL if grown.is_drawn else Origin.SEMIAUTOMATIC
    return Outline(number, flat, origin=origin, method=_method(grown), is_own=True)


def _method(grown: GrownLesion) -> str:
    return segmentation_methods.click_words(grown.parameters)


def _compared(row: LesionRead, columns: Sequence[regions.Column]) -> Iterator[regions.Region]:
    """The spheres that a lesion is compared with, then its own mirror image if one is stood for."""
    yield from (one for one in columns if isinstance(one, ReferenceRegion))
    if row.grown:
        own = regions.own_mirror_image(row.grown)
        yield from [own] if own and not own.is_proposed else []
        return
    for one in columns:
        if isinstance(one, regions.MirrorImages) and (image := one.of(row.measured)):
            yield image


def lesion_row(
    row: LesionRead, run: Quantification, columns: Sequence[regions.Column]
) -> LesionRow:
    """A region as the report of a read has it, with its ratios to what the reader stands for."""
    one = row.measured
    ratios = [(region.kind, regions.ratios_to(region, one)) for region in _compared(row, columns)]
    return LesionRow(
        number=row.number,
        plane=one.suvmax_voxel[0],
        suvmax=one.suvmax,
        suvmean=one.suvmean,
        suvpeak=one.suvpeak,
        suvpeak_definition=one.suvpeak_definition,
        volume_ml=one.volume_ml,
        total_uptake=one.total_uptake,
        # Of SUVmax, as in the report of the run.
        ratios=tuple((kind, found[0].value) for kind, found in ratios if found),
        remark=object_writing.remark_on(one, run),
        region=row.region,
        positivity=row.positivity,
        method=_method(row.grown) if row.grown else "",
    )


def _excluded(row: LesionRead) -> ExcludedRow:
    return ExcludedRow(
        number=row.number,
        suvmax=row.measured.suvmax,
        organ=row.organ,
        reason=row.reason,
        is_own=row.grown is not None,
    )
