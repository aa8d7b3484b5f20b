"""Reading archived instances back as headers, volumes and single pixels."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from django.db.models import Prefetch, QuerySet

from imaging import geometry, pixels, storage, suv, volume
from imaging.headers import PetHeader, SliceHeader
from imaging.models import Instance, Series


def with_instances(rows: QuerySet[Series]) -> QuerySet[Series]:
    """Series with their instances at hand, but for what became of each tag: half of a row."""
    return rows.prefetch_related(Prefetch("instances", Instance.objects.defer("deidentification")))


def headers_of(series: Series) -> list[SliceHeader]:
    """The headers of a series' instances, as they were read at release."""
    instances = series.instances.all()
    if "instances" not in getattr(series, "_prefetched_objects_cache", {}):
        instances = instances.defer("deidentification")
    return [header_of(instance, series.modality) for instance in instances]


def header_of(instance: Instance, modality: str) -> SliceHeader:
    """The header of one instance, as it was read at release."""
    reader = PetHeader if modality == "PT" else SliceHeader
    return reader.from_json(instance.header)


def input_digest(series: Series) -> str:
    """SHA-256 over the sorted digests of the instances a run is computed from."""
    digests = sorted(series.instances.values_list("sha256", flat=True))
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def suv_volume(
    series: Series, headers: Sequence[PetHeader], *, scale: suv.SuvScale
) -> tuple[np.ndarray, geometry.Grid]:
    """SUVbw of a series in g/mL as a volume (planes, rows, columns), and its grid."""
    stack = geometry.stack_from_headers(headers)
    instances = list(series.instances.all())
    storage.archive.bring(one.sha256 for one in instances)
    order = stack.order
    values = volume.read_at_once(
        (headers[i] for i in order),
        lambda plane: _stored_values(instances[order[plane]], headers[order[plane]]),
        factor=[scale.of_slice(i) for i in order],
    )
    return values, stack.grid


def _stored_values(instance: Instance, header: SliceHeader) -> np.ndarray:
    """Pixel values of one archived, de-identified instance, as stored."""
    return pixels.stored_values(storage.archive.read(instance.sha256), header, place_of(instance))


def place_of(instance: Instance) -> pixels.Place | None:
    """Where its pixels lie, as found at release; None in images of an earlier release."""
    if instance.pixel_offset is None or instance.pixel_length is None:
        return None
    return pixels.Place(instance.transfer_syntax, instance.pixel_offset, instance.pixel_length)


@dataclass(frozen=True)
class Pixel:
    """One stored value and what turns it into an activity concentration."""

    stored: int
    slope: float
    intercept: float
    sha256: str


def pixel(series: Series, voxel: tuple[int, int, int]) -> Pixel:
    """The pixel behind a voxel (plane, row, column), read again from the archive."""
    headers = headers_of(series)
    plane, row, column = voxel
    place = geometry.stack_from_headers(headers).order[plane]
    instance, header = list(series.instances.all())[place], headers[place]
    return Pixel(
        stored=int(_stored_values(instance, header)[row, column]),
        slope=header.rescale_slope,
        intercept=header.rescale_intercept,
        sha256=instance.sha256,
    )
