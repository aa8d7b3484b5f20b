"""Dose-length product of a CT from what arrives: a dose report, else an estimate from its images.

    DLP / (mGy cm) = sum over images of CTDIvol / mGy * slice interval / cm

A dose report is an X-Ray Radiation Dose SR (DICOM PS3.16 TID 10011); its CT Dose Length Product
Total (113813, DCM) is what the scanner counted. Without one the images give CTDIvol (0018,9345) and
their extent. That leaves out the overviews and what a helical scan turns beyond the first and last
image, so it is an estimate, mostly too low, and called so wherever it is shown.

The mistake to fear is a dose counted twice: two reconstructions of one acquisition are two series.
Series are told apart by Irradiation Event UID (0008,3010), and refused where that can't be done.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal

from pydicom.dataset import Dataset

Basis = Literal["report", "estimate"]

# The code of having nothing to tell it from.
NOTHING = "nothing-tells"
REPORT, ACCUMULATED, TOTAL = "113701", "113811", "113813"
ACQUISITION, TARGET_REGION, ACQUISITION_TYPE = "113819", "123014", "113820"
# A constant angle acquisition is the overview, whatever region it covers.
OVERVIEW = "113805"
UNIT = "mGy.cm"
# The largest that may be recorded as well; see the vocabulary.
MOST_MGY_CM = 10_000.0
# Cosine between the normal of the slices and the table: a tilted gantry passes, a reformat not.
LEAST_COSINE = 0.8
# Slice intervals of one acquisition, relative: the geometry's own tolerance is narrower.
UNEVEN = 0.05

# Regions of PS3.16 CID 4031 as the factors for effective dose are given for.
REGIONS: Mapping[str, str] = MappingProxyType(
    {
        "69536005": "head",
        "T-D1100": "head",
        "774007": "head_neck",
        "T-D1000": "head_neck",
        "45048000": "neck",
        "T-D1600": "neck",
        "51185008": "chest",
        "T-D3000": "chest",
        "818981001": "abdomen_pelvis",
        "113345001": "abdomen_pelvis",
        "T-D4000": "abdomen_pelvis",
        "816092008": "abdomen_pelvis",
        "12921003": "abdomen_pelvis",
        "T-D6000": "abdomen_pelvis",
        "818982008": "abdomen_pelvis",
        "416949008": "abdomen_pelvis",
        "R-FAB57": "abdomen_pelvis",
        "416550000": "trunk",
        "R-FAB55": "trunk",
        "416775004": "trunk",
        "R-FAB56": "trunk",
        "416319003": "trunk",
        "R-FAB54": "trunk",
    }
)
# CTDI phantoms of PS3.16 CID 4052.
PHANTOMS: Mapping[str, str] = MappingProxyType(
    {"113690": "the head phantom of 16 cm", "113691": "the body phantom of 32 cm"}
)


class DoseError(ValueError):
    """No dose-length product can be told; `code` is stable, `message` says what to do."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


@dataclass(frozen=True, slots=True)
class Slice:
    """One CT image: CTDIvol in mGy, position and row and column cosines, None where absent."""

    ctdi_vol_mgy: float | None
    position_mm: tuple[float, ...] | None
    orientation: tuple[float, ...] | None


@dataclass(frozen=True, slots=True)
class Report:
    """What a dose report says: the total in mGy cm, and the region by our word, empty if none."""

    dlp_mgy_cm: float
    region: str = ""


@dataclass(frozen=True, slots=True)
class Told:
    """The dose-length product of a scan's CT in mGy cm as what arrived tells it, and how."""

    dlp_mgy_cm: float
    basis: Basis
    explanation: str
    region: str = ""


def estimated(slices: Sequence[Slice], *, phantom: str = "") -> Told:
    """The dose-length product of one acquisition, from its images.

    Parameters
    ----------
    slices : sequence of Slice
        All images of one reconstruction, in any order.
    phantom : str
        Code of CTDI Phantom Type (0018,9346); empty if not given.

    Raises
    ------
    DoseError
        `ctdi-missing`, `ctdi-implausible`, `extent-unknown`, `not-across-the-table`.

    Examples
    --------
    Five images 5 mm apart stand for 2.5 cm; at 4 mGy that is 10 mGy cm:

    >>> images = [Slice(4.0, (0.0, 0.0, 5.0 * n), (1, 0, 0, 0, 1, 0)) for n in range(5)]
    >>> estimated(images).dlp_mgy_cm
    10.0
    """
    doses = [one.ctdi_vol_mgy for one in slices]
    known = [one for one in doses if one is not None]
    if not known or len(known) < len(doses):
        raise DoseError(
            "ctdi-missing",
            "CTDIvol (0018,9345) is missing in images of the CT. Send the scanner's dose report, "
            "or record the dose-length product from it.",
        )
    if not all(math.isfinite(one) and one > 0 for one in known):
        raise DoseError(
            "ctdi-implausible",
            "CTDIvol (0018,9345) must be more than 0 mGy in every image of the CT. Record the "
            "dose-length product from the dose report.",
        )
    interval = _interval_mm(slices)
    length_cm = len(known) * interval / 10
    mean = sum(known) / len(known)
    on = PHANTOMS.get(phantom, "a phantom that the images do not name")
    return Told(
        _plausible(mean * length_cm),
        "estimate",
        f"estimated from {len(known)} images: mean CTDIvol {mean:.4g} mGy in {on}, times "
        f"{length_cm:.4g} cm; without overviews and over-ranging",
    )


def told(
    reports: Mapping[str, Report], acquisitions: Mapping[str, Sequence[tuple[str, Told]]]
) -> Told:
    """What all that arrived of a scan tells; reports count before estimates.

    Parameters
    ----------
    reports : mapping
        The dose reports by their SOP Instance UID.
    acquisitions : mapping
        By series, the irradiation events of it as Irradiation Event UID, empty where the images
        name none, with the estimate.

    Raises
    ------
    DoseError
        `nothing-tells`, `several-dose-reports`, `several-ct-series`.
    """
    if reports:
        return _of_reports(list(reports.values()))
    series = list(acquisitions.values())
    if not series:
        raise DoseError(NOTHING, "Neither a dose report nor a usable CT arrived.")
    by_event: dict[str, Told] = {}
    for event, one in (pair for pairs in series for pair in pairs):
        if not event and len(series) > 1:
            raise DoseError(
                "several-ct-series",
                "Several CT series came, and nothing in them says whether they are one irradiation "
                "(Irradiation Event UID (0008,3010)). Send the dose report, or record the "
                "dose-length product from it.",
            )
        # Of two reconstructions of one event the longer one was irradiated in any case.
        by_event[event] = max(by_event.get(event, one), one, key=lambda of: of.dlp_mgy_cm)
    found = list(by_event.values())
    if len(found) == 1:
        return found[0]
    total = sum(one.dlp_mgy_cm for one in found)
    return Told(
        _plausible(total),
        "estimate",
        f"sum of {len(found)} irradiation events; " + "; ".join(one.explanation for one in found),
    )


def as_json(one: Told) -> dict[str, Any]:
    """What is told, for a record of it."""
    return {
        "dlp_mgy_cm": one.dlp_mgy_cm,
        "basis": one.basis,
        "explanation": one.explanation,
        "region": one.region,
    }


def dose_report(ds: Dataset) -> Report:
    """What a dose report in DICOM says of its CT.

    Raises
    ------
    DoseError
        `no-dose-report`, `dose-report-without-ct`, `several-totals`, `dose-unit`,
        `dose-implausible`.
    """
    if _concept(ds) != REPORT:
        raise DoseError(
            "no-dose-report",
            "The title of this report is not X-Ray Radiation Dose Report (113701, DCM). Only dose "
            "reports are read; send the one of the CT.",
        )
    containers = _items(ds, "ContentSequence")
    parts = [one for one in containers if _concept(one) == ACCUMULATED]
    totals = [
        item
        for part in parts
        for item in _items(part, "ContentSequence")
        if _concept(item) == TOTAL
    ]
    if not totals:
        raise DoseError(
            "dose-report-without-ct",
            "The dose report has no CT Dose Length Product Total (113813, DCM). Send the report of "
            "the CT, or record the dose-length product.",
        )
    values = {_measured(item) for item in totals}
    if len(values) > 1:
        raise DoseError(
            "several-totals",
            "The dose report gives several totals of the dose-length product, as of two phantoms. "
            "Record each CT from it.",
        )
    return Report(_plausible(values.pop()), _region(containers))


def digest_of(ds: Dataset) -> str:
    """SHA-256 of what a dose report is read for: the same before and after de-identification."""
    found = dose_report(ds)
    return hashlib.sha256(f"{found.dlp_mgy_cm!r} {found.region}".encode()).hexdigest()


def _of_reports(reports: Sequence[Report]) -> Told:
    if len({one.dlp_mgy_cm for one in reports}) > 1:
        raise DoseError(
            "several-dose-reports",
            "Several dose reports with different totals came for this scan. Record the dose-length "
            "product of the one that holds.",
        )
    regions = {one.region for one in reports}
    first = reports[0]
    region = first.region if len(regions) == 1 else ""
    return Told(first.dlp_mgy_cm, "report", "total of the scanner's dose report", region)


def _interval_mm(slices: Sequence[Slice]) -> float:
    """The distance between slices along the table."""
    places = [one.position_mm for one in slices]
    if len(slices) < 2 or any(one is None or len(one) != 3 for one in places):
        raise DoseError(
            "extent-unknown",
            "The length of the CT can't be told from Image Position (Patient) (0020,0032). Record "
            "the dose-length product from the dose report.",
        )
    if not all(_is_across_the_table(one.orientation) for one in slices):
        raise DoseError(
            "not-across-the-table",
            "The CT came as a reformat, whose slices do not follow the table. Send the axial "
            "series, or record the dose-length product from the dose report.",
        )
    along = sorted(one[2] for one in places if one)
    interval = (along[-1] - along[0]) / (len(along) - 1)
    gaps = [after - before for before, after in pairwise(along)]
    if interval <= 0 or any(abs(gap - interval) > UNEVEN * interval for gap in gaps):
        raise DoseError(
            "extent-unknown",
            "The slices of the CT are not evenly spaced, so that their length can't be told. "
            "Record the dose-length product from the dose report.",
        )
    return interval


def _is_across_the_table(orientation: tuple[float, ...] | None) -> bool:
    if orientation is None or len(orientation) != 6:
        return False
    a, b, _, d, e, _ = orientation
    return abs(a * e - b * d) >= LEAST_COSINE


def _plausible(dlp_mgy_cm: float) -> float:
    if not math.isfinite(dlp_mgy_cm) or not 0 <= dlp_mgy_cm <= MOST_MGY_CM:
        raise DoseError(
            "dose-implausible",
            f"A dose-length product must be from 0 to {MOST_MGY_CM:g} mGy cm. Look into the "
            "scanner's dose report, and record it from there.",
        )
    return dlp_mgy_cm


def _items(ds: Dataset, keyword: str) -> list[Dataset]:
    value: Any = ds.get(keyword)
    return list(value) if value and not isinstance(value, (str, bytes)) else []


def _code(ds: Dataset, keyword: str) -> str:
    codes = _items(ds, keyword)
    return str(codes[0].get("CodeValue") or "").strip() if codes else ""


def _concept(item: Dataset) -> str:
    return _code(item, "ConceptNameCodeSequence")


def _measured(item: Dataset) -> float:
    for value in _items(item, "MeasuredValueSequence"):
        if _code(value, "MeasurementUnitsCodeSequence") != UNIT:
            raise DoseError(
                "dose-unit",
                "CT Dose Length Product Total (113813, DCM) must be in mGy.cm. Record the "
                "dose-length product from the scanner's own page.",
            )
        number: Any = value.get("NumericValue")
        try:
            return float(str(number))
        except ValueError:
            break
    raise DoseError(
        "dose-implausible",
        "CT Dose Length Product Total (113813, DCM) holds no single number. Record the dose-length "
        "product from the scanner's own page.",
    )


def _region(containers: Sequence[Dataset]) -> str:
    """The region of all acquisitions but overviews, if they have one."""
    found = set()
    for one in containers:
        if _concept(one) != ACQUISITION:
            continue
        said = {_concept(item): item for item in _items(one, "ContentSequence")}
        kind, region = said.get(ACQUISITION_TYPE), said.get(TARGET_REGION)
        if kind is not None and _code(kind, "ConceptCodeSequence") == OVERVIEW:
            continue
        found.add(REGIONS.get(_code(region, "ConceptCodeSequence"), "") if region else "")
    return found.pop() if len(found) == 1 else ""
