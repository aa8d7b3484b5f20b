"""Released images as they are sent: their files, headers, values and pictures."""

from __future__ import annotations

import io
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.multival import MultiValue

from imaging import pixels, rendering, storage
from imaging.dicom_search import Json
from imaging.headers import SliceHeader
from imaging.models import Destruction, DicomObject, Instance, Series
from imaging.rendering import Window
from imaging.selectors.volumes import header_of, place_of
from trials.services.errors import Refused


@dataclass(frozen=True)
class Look:
    """How a picture is wanted."""

    media_type: str
    window: Window | None = None
    box: tuple[int, int] | None = None
    quality: int = rendering.QUALITY


def files(sha256s: Iterable[str]) -> Iterator[bytes]:
    """The files, one at a time."""
    for sha256 in sha256s:
        yield storage.archive.read(sha256)


def object_of(row: DicomObject) -> bytes:
    """The file of what was written of a run, if it is kept."""
    series = row.quantification.series
    patient = series.imaging_study.scheduled_scan.patient
    if series.code in Series.GONE or Destruction.objects.filter(patient=patient).exists():
        raise Refused("not-kept", "It was destroyed with the images it was of.", status=410)
    return storage.archive.read(row.sha256)


def metadata(sha256s: Iterable[str]) -> Iterator[bytes]:
    """A JSON array of the headers without bulk data, one at a time."""
    begin = b"["
    for data in files(sha256s):
        yield begin + json.dumps(_header(data)).encode()
        begin = b","
    yield b"[]" if begin == b"[" else b"]"


def frame(instance: Instance) -> bytes:
    """The stored values of an image, native and little endian."""
    data, header = storage.archive.read(instance.sha256), _header_of(instance)
    values = _stored(data, header, place_of(instance))
    return values.astype(values.dtype.newbyteorder("<"), copy=False).tobytes()


def picture(instance: Instance, look: Look) -> bytes:
    """A picture of one slice. PET is dark where uptake is high, as in all our pictures."""
    data, header = storage.archive.read(instance.sha256), _header_of(instance)
    slope, intercept = header.rescale_slope or 1.0, header.rescale_intercept or 0.0
    values = _stored(data, header, place_of(instance)).astype(np.float32) * slope + intercept
    window = look.window or _window(instance, data, values)
    if header.photometric_interpretation == "MONOCHROME1":
        window = Window(window.upper, window.lower)
    return rendering.rendered(
        values,
        window,
        media_type=look.media_type,
        box=look.box,
        quality=look.quality,
    )


def _header_of(instance: Instance) -> SliceHeader:
    if instance.series.modality in Series.REGIONS:
        raise Refused("no-picture", "Regions have no picture: look at the images they lie on.")
    if instance.series.modality in Series.REPORTS:
        raise Refused("no-picture", "A dose report has no picture: look at what it says.")
    return header_of(instance, instance.series.modality)


def _header(data: bytes) -> Json:
    ds = pydicom.dcmread(io.BytesIO(data), stop_before_pixels=True)
    found = ds.to_json_dict(suppress_invalid_tags=True)
    found["00083002"] = {"vr": "UI", "Value": [str(ds.file_meta.TransferSyntaxUID)]}
    return {tag: value for tag, value in sorted(found.items()) if _is_json(value)}


def _is_json(value: Json) -> bool:
    """A number that is infinite, or none, has no place in JSON."""
    try:
        json.dumps(value, allow_nan=False)
    except ValueError:
        return False
    return True


def _stored(data: bytes, header: SliceHeader, place: pixels.Place | None) -> np.ndarray:
    try:
        return pixels.stored_values(data, header, place)
    except pixels.PixelDataError as error:
        raise Refused(error.code, f"This image can't be drawn: {error}.") from error


def _window(instance: Instance, data: bytes, values: np.ndarray) -> Window:
    """By the SUV of a PET series that is measured, else by the header, else all values."""
    if instance.series.modality == "PT":
        return Window(_upper(instance.series, values), 0.0)
    ds = pydicom.dcmread(
        io.BytesIO(data), stop_before_pixels=True, specific_tags=["WindowCenter", "WindowWidth"]
    )
    centre, width = _first(ds, "WindowCenter"), _first(ds, "WindowWidth")
    if centre is None or width is None or width < 1:
        return Window(float(values.min()), float(values.max()))
    return rendering.linear_window(centre, width)


def _upper(series: Series, values: np.ndarray) -> float:
    run = series.quantifications.filter(is_current=True).first()
    if run is None or not run.suvbw_factor:
        return float(values.max())
    return rendering.UPPER_SUV / run.suvbw_factor


def _first(ds: Dataset, keyword: str) -> float | None:
    value = ds.get(keyword)
    if isinstance(value, MultiValue):
        value = value[0] if value else None
    return None if value is None else float(value)
