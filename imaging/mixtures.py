"""Whether the slices under one Series Instance UID are one static image, and if not, what.

What must be the same on every slice is compared first; then the places are. Slices in one place
are told apart by what they differ in: the bins of a gated acquisition, the frames of a dynamic
one, beds that overlap, two reconstructions, the same slice twice. Each refusal says what to do.

The mistake to fear is an honest series refused for what vendors write into it. Of a static
whole-body series GE writes the number of the bed into Number of Time Slices (0054,0101), and
Siemens one that counts on with the beds into Acquisition Number (0020,0012): neither says that
there are several frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType

import numpy as np

from imaging import geometry
from imaging.completeness import bed_size, missing_count
from imaging.geometry import DUPLICATE_MM, GeometryError, Stack
from imaging.headers import PetHeader, SliceHeader
from imaging.suv_checks import is_attenuation_corrected

LOCALIZER = "localizer"
# What a record of an earlier release does not know differs from nothing.
NOT_RECORDED = object()
_SEPARATE = "Send each as a series of its own, as the scanner made them."

# What to do about slices that are no volume, by the code of the refusal.
ADVICE: Mapping[str, str] = MappingProxyType(
    {
        "no-slices": "Send the series again.",
        "place-missing": "Export the series again from the scanner or archive: every slice "
        "needs its place.",
        "place-invalid": "Export the series again from the scanner or archive.",
        "orientation-invalid": "Export the series again from the scanner or archive.",
        "spacing-invalid": "Export the series again from the scanner or archive.",
        "single-slice-without-thickness": "Send the series whole.",
        "missing-slices": "Send the folder again with all slices; what is there already is not "
        "sent twice.",
        "uneven-spacing": "Send the series as it was reconstructed, whole and with one spacing.",
        "duplicate-positions": "Send the series as the scanner made it, each slice once.",
        "mixed-matrix": _SEPARATE,
        "mixed-spacing": _SEPARATE,
        "mixed-orientation": _SEPARATE,
        "sheared": "Send the reconstruction without gantry tilt, or the two scans as two series.",
    }
)


def stack_of(headers: Sequence[SliceHeader]) -> Stack:
    """Grid and order of the slices of one static series, of PET or CT.

    Raises
    ------
    GeometryError
        With what to do. "localizer", "localizer-among-slices", "mixed-frame-of-reference",
        "mixed-attenuation-correction", "mixed-reconstructions", "mixed-acquisitions",
        "dynamic-series", "gated-series", "overlapping-beds", and as `geometry.stack_from_headers`.
    """
    _require_slices(headers)
    for rule in _RULES:
        rule.require(headers)
    _require_static(headers)
    try:
        return geometry.stack_from_headers(headers)
    except GeometryError as error:
        raise _named(headers, error) from error


# ------------------------------------------------------------------- what is the same on all


def _require_slices(headers: Sequence[SliceHeader]) -> None:
    """An overview is no slice: alone it is no series to measure, and among slices a mixture."""
    overviews = sum("LOCALIZER" in header.image_type for header in headers)
    if overviews and overviews == len(headers):
        raise GeometryError(
            LOCALIZER,
            "An overview (scout), by Image Type (0008,0008): kept, and nothing is measured on it. "
            "There is nothing to do.",
        )
    if overviews:
        raise GeometryError(
            "localizer-among-slices",
            f"{overviews} of {len(headers)} images are an overview (scout) by Image Type "
            "(0008,0008). Send the slices without it, or it as a series of its own.",
        )


@dataclass(frozen=True)
class _One:
    """Something every slice of a series must say alike."""

    code: str
    what: str
    attributes: Mapping[str, Callable[[SliceHeader], object]]
    advice: str = _SEPARATE

    def require(self, headers: Sequence[SliceHeader]) -> None:
        differing = [
            name
            for name, of in self.attributes.items()
            if len({of(one) for one in headers} - {NOT_RECORDED}) > 1
        ]
        if differing:
            raise GeometryError(
                self.code,
                f"The slices differ in {', '.join(differing)}: {self.what}. {self.advice}",
            )


def _of_pet(name: str) -> Callable[[SliceHeader], object]:
    return lambda header: getattr(header, name) if isinstance(header, PetHeader) else None


def _is_corrected(header: SliceHeader) -> object:
    return is_attenuation_corrected(header) if isinstance(header, PetHeader) else None


def _kernel(header: SliceHeader) -> object:
    kernel = header.convolution_kernel
    return NOT_RECORDED if kernel is None else kernel


def _corrections(header: SliceHeader) -> object:
    return frozenset(header.corrected_image) if isinstance(header, PetHeader) else None


_RULES = (
    _One(
        "mixed-frame-of-reference",
        "their places can't be compared, so they are more than one acquisition",
        {"Frame of Reference UID (0020,0052)": lambda header: header.frame_of_reference_uid},
    ),
    _One(
        "mixed-attenuation-correction",
        "some are corrected for attenuation and others are not",
        {"Corrected Image (0028,0051)": _is_corrected},
        "Send the corrected and the uncorrected reconstruction as two series.",
    ),
    _One(
        "mixed-reconstructions",
        "more than one reconstruction under one Series Instance UID",
        {
            "Reconstruction Method (0054,1103)": _of_pet("reconstruction_method"),
            "Convolution Kernel (0018,1210)": _kernel,
            "Corrected Image (0028,0051)": _corrections,
            "Units (0054,1001)": _of_pet("units"),
            "SUV Type (0054,1006)": _of_pet("suv_type"),
            "Decay Correction (0054,1102)": _of_pet("decay_correction"),
        },
    ),
    _One(
        "mixed-acquisitions",
        "more than one acquisition under one Series Instance UID",
        {
            "Manufacturer (0008,0070)": lambda header: header.manufacturer,
            "Manufacturer's Model Name (0008,1090)": lambda header: header.model,
            # A series has one start. That of a CT is left alone: nothing is computed from it.
            "Series Date (0008,0021)": lambda header: _start(header, header.series_date),
            "Series Time (0008,0031)": lambda header: _start(header, header.series_time),
            "Radiopharmaceutical Information (0054,0016)": _of_pet("radiopharmaceuticals"),
        },
    ),
)


def _start(header: SliceHeader, value: object) -> object:
    return value if isinstance(header, PetHeader) else None


def _require_static(headers: Sequence[SliceHeader]) -> None:
    """Raise for what Series Type (0054,1000) says of several frames or bins."""
    kinds = {kind for one in headers if isinstance(one, PetHeader) for kind in one.series_type[:1]}
    if "DYNAMIC" in kinds:
        raise _dynamic("Series Type (0054,1000) is DYNAMIC")
    if "GATED" in kinds:
        raise _gated("Series Type (0054,1000) is GATED")


def _dynamic(why: str) -> GeometryError:
    return GeometryError(
        "dynamic-series",
        f"{why}: frames of a dynamic acquisition, of which no static SUV is given. Send the "
        "static reconstruction that the protocol plans; the frames are kept.",
    )


def _gated(why: str) -> GeometryError:
    return GeometryError(
        "gated-series",
        f"{why}: bins of a gated acquisition, of which no static SUV is given. Send the "
        "reconstruction of all counts that the protocol plans; the bins are kept.",
    )


# ----------------------------------------------------------------------- slices in one place


def _named(headers: Sequence[SliceHeader], error: GeometryError) -> GeometryError:
    """The refusal of the geometry with what the slices differ in, and what to do."""
    if error.code == "duplicate-positions":
        return _of_shared_places(headers) or _advised(error)
    if error.code == "missing-slices":
        return _advised(error, _how_many(headers))
    return _advised(error)


def _advised(error: GeometryError, more: str = "") -> GeometryError:
    sentences = (error.message, more, ADVICE[error.code])
    return GeometryError(error.code, " ".join(one for one in sentences if one))


def _how_many(headers: Sequence[SliceHeader]) -> str:
    """How much lies in the gaps, and whether that is a bed."""
    missing = missing_count(headers)
    bed = bed_size(headers)
    of_bed = f", and a bed has {bed}" if bed > 1 and missing >= bed // 2 else ""
    return f"About {missing} slice(s) are missing{of_bed}." if missing else ""


def _of_shared_places(headers: Sequence[SliceHeader]) -> GeometryError | None:
    """What slices that lie in one place are, by what they differ in; None if they are alike."""
    groups = _places(headers)
    shared = [group for group in groups if len(group) > 1]
    if _differ(shared, lambda one: one.trigger_time):
        return _gated("Slices in one place differ in Trigger Time (0018,1060)")
    if _differ(shared, _clock):
        if len({len(group) for group in groups}) == 1:
            return _dynamic(
                f"Each place has {len(groups[0])} slices, at times of their own by Frame Reference "
                "Time (0054,1300) or Acquisition Time (0008,0032)"
            )
        return GeometryError(
            "overlapping-beds",
            f"{len(shared)} of {len(groups)} places have slices of more than one time: beds that "
            "were not joined, or parts of two acquisitions. Send the series as the scanner joins "
            "the beds, or the acquisitions as two series.",
        )
    if _differ(shared, lambda one: one.acquisition_number):
        return GeometryError(
            "mixed-acquisitions",
            "Slices in one place differ in Acquisition Number (0020,0012): more than one "
            f"acquisition under one Series Instance UID. {_SEPARATE}",
        )
    return None


def _clock(header: SliceHeader) -> object:
    reference = header.frame_reference_time if isinstance(header, PetHeader) else None
    at = (header.acquisition_date, header.acquisition_time)
    return header.temporal_position, reference, *(at if isinstance(header, PetHeader) else ())


def _differ(groups: Iterable[Sequence[SliceHeader]], of: Callable[[SliceHeader], object]) -> bool:
    return any(len({of(one) for one in group}) > 1 for group in groups)


def _places(headers: Sequence[SliceHeader]) -> list[list[SliceHeader]]:
    """Slices by the place they lie in, along the normal of the first; each has a place."""
    row, column = np.asarray(headers[0].orientation, dtype=np.float64).reshape(2, 3)
    points = np.asarray([header.position for header in headers], dtype=np.float64)
    along = points @ np.cross(row, column)
    order = np.argsort(along, kind="stable")
    groups = [[headers[order[0]]]]
    for before, after in pairwise(order):
        if along[after] - along[before] >= DUPLICATE_MM:
            groups.append([])
        groups[-1].append(headers[after])
    return groups
