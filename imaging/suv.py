"""Standardized uptake value normalised by body weight, from the headers of a PET series.

    SUVbw [g/mL] = (stored * slope + intercept) * factor
    factor [g/Bq] = W [kg] * 1000 / A [Bq]

where A is the injected activity, decayed to the instant the pixel values refer to. That
instant is the whole error budget: with Decay Correction START the vendors mean the start
of the series, the standard says acquisition, a workstation may have rewritten either, and
an hour is a factor of 1.46 for fluorine-18. So it is never taken on trust. Up to five
witnesses in the headers say what it was; the table of what each one says is part of every
result, and a series whose witnesses disagree gets no number.

Policy: IBSI-SUV 3.0.1, strict, with the rule for the reference instant sharpened by the
witnesses D and D' (decay factor), which no published algorithm uses.

What is not understood is refused by name. A missing weight, dose, time or half-life is
never replaced by a likely one.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime, time, timedelta
from types import MappingProxyType
from typing import Any, Literal

from imaging.headers import PetHeader, Radiopharmaceutical
from imaging.reference_time import (
    DAY,
    LONG_LIVED,
    SAME_INSTANT,
    Reference,
    Witness,
    reference_time,
    seconds_between,
)
from trials.decay import HALF_LIFE, decayed

POLICY = "IBSI-SUV 3.0.1 strict, five witnesses"
POLICY_VERSION = "1"

PET_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.128"
# A dynamic series may begin up to an hour before the injection (IBSI-SUV).
EARLIEST_UPTAKE = -3600.0
PHILIPS_FACTOR_TOLERANCE = 0.02
HALF_LIFE_TOLERANCE = 0.01
WEIGHT_KG = (1.0, 400.0)
# From rubidium-82 to sodium-22; beyond, nothing is injected for PET.
HALF_LIFE_S = (60.0, 1e8)
ACTIVITY_BQ = (1e4, 1e11)
BQ_PER_MBQ = 1e6
# A dose below this in Bq can only have been written in MBq.
SMALLEST_DOSE_BQ = 1e4
PLAUSIBLE_MBQ: Mapping[str, tuple[float, float]] = MappingProxyType(
    {"F-18": (20, 1000), "Ga-68": (20, 400), "Zr-89": (10, 200), "Lu-177": (100, 10000)}
)

FLAGS: Mapping[str, str] = MappingProxyType(
    {
        "reference-time-uncorroborated": "Series and acquisition time agree, but nothing else "
        "in the headers confirms that the pixel values refer to them.",
        "series-time-rewritten": "Series Time is later than the acquisition; the private start "
        "of scan was used, confirmed by a second witness.",
        "dose-in-megabecquerel": "Radionuclide Total Dose was below 10 kBq and was read as MBq.",
        "activity-implausible": "The injected activity is outside what is usual for the nuclide.",
        "nuclide-unverified": "The headers do not name a known nuclide, so the half-life could "
        "not be checked.",
        "injection-times-differ": "Radiopharmaceutical Start Time and Start DateTime give "
        "different times of day.",
        "rescale-intercept": "Rescale Intercept is not zero; the standard says it is.",
        "derived-image": "Image Type says the pixel values were derived from others.",
    }
)
ADAPTATIONS: Mapping[str, str] = MappingProxyType(
    {
        "injection-date-from-reference": "Only the time of day of the injection is given; its "
        "date was taken from the reference instant.",
        "injection-date-replaced": "The date in Radiopharmaceutical Start DateTime cannot be "
        "right; its time of day was put on the date of the reference instant.",
        "injection-in-zone-of-series": "Start DateTime was converted to the time zone of the "
        "series.",
        "injection-during-acquisition": "A dynamic series that began before the injection.",
        "series-date-from-acquisition": "Series Date is missing; Acquisition Date was used.",
        "scanner-suv-factor": "The Philips SUV scale factor was used: weight and activity are "
        "baked into it and cannot be corrected afterwards.",
    }
)

Status = Literal["COMPUTED", "FLAGGED"]


class SuvRefused(ValueError):  # noqa: N818  a refusal is an answer, not a fault
    """No SUV can be given; `code` is stable, the message says what was found.

    `witnesses` is the table of reference instants as far as it was worked out.
    """

    def __init__(self, code: str, message: str, witnesses: tuple[Witness, ...] = ()) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.witnesses = witnesses


@dataclass(frozen=True, slots=True)
class Input:
    """One value the factor was computed from, as written in the header."""

    name: str
    tag: str
    value: Any
    unit: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvScale:
    """What turns rescaled pixel values of one series into SUVbw, and why.

    `factor` has the unit `factor_unit`: g/Bq for values in Bq/mL, g/mL for counts, 1 for
    values that are SUVbw already. `injected_activity` and `decayed_activity` are in Bq,
    `decay_seconds` from injection to `reference`; they are None where the factor does not
    depend on them.
    """

    factor: float
    factor_unit: str
    status: Status
    units: str
    decay_correction: str
    nuclide: str | None
    half_life: float | None
    reference: datetime | None
    injection: datetime | None
    decay_seconds: float | None
    injected_activity: float | None
    decayed_activity: float | None
    weight: float | None
    witnesses: tuple[Witness, ...]
    flags: tuple[str, ...]
    adaptations: tuple[str, ...]
    inputs: tuple[Input, ...]

    def derivation(self) -> dict[str, Any]:
        """Everything above with policy and explanations, as JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        return plain | {
            "policy": POLICY,
            "policy_version": POLICY_VERSION,
            "reference": self.reference and self.reference.isoformat(),
            "injection": self.injection and self.injection.isoformat(),
            "witnesses": [asdict(w) for w in self.witnesses],
            "flags": [{"code": code, "meaning": FLAGS[code]} for code in self.flags],
            "adaptations": [{"code": c, "meaning": ADAPTATIONS[c]} for c in self.adaptations],
            "inputs": [asdict(i) for i in self.inputs],
        }


def suvbw_scale(headers: Sequence[PetHeader]) -> SuvScale:
    """Factor from rescaled pixel values to SUVbw for the slices of one series.

    Parameters
    ----------
    headers : sequence of PetHeader
        One or more slices of the series, in any order. Dropping slices never changes the
        factor, it can only lead to a refusal or a flag.

    Returns
    -------
    SuvScale

    Raises
    ------
    SuvRefused
        With a stable code, if the headers do not settle the factor.

    References
    ----------
    DICOM PS3.3 C.8.9.1 and C.8.9.4; IBSI-SUV 3.0.1; QIBA vendor-neutral pseudo-code for SUV.
    """
    _require_one_series(headers)
    _require_measurable(headers)
    if headers[0].units == "GML":
        return _prescaled(headers)
    return _from_activity(headers)


def weight_activity_factor(weight: float, activity: float) -> float:
    """Factor in g/Bq for a weight in kg and an activity in Bq.

    70 kg and 370 MBq at the reference instant:

    >>> round(weight_activity_factor(70, 370e6), 9)
    0.000189189
    """
    return weight * 1000.0 / activity


# Geometry judges position, orientation and spacing, with tolerances of its own.
_PER_SLICE = frozenset(
    {
        "sop_instance_uid",
        "instance_number",
        "position",
        "orientation",
        "pixel_spacing",
        "slice_thickness",
        "rescale_slope",
        "rescale_intercept",
        "acquisition_date",
        "acquisition_time",
        "frame_reference_time",
        "actual_frame_duration",
        "decay_factor",
        "unreadable",
    }
)
_PER_SERIES = tuple(f.name for f in fields(PetHeader) if f.name not in _PER_SLICE)


def _require_one_series(headers: Sequence[PetHeader]) -> None:
    if not headers:
        raise SuvRefused("no-slices", "There is no slice to read a header from.")
    for name in _PER_SERIES:
        found = {getattr(header, name) for header in headers}
        if len(found) > 1:
            listed = ", ".join(sorted(map(str, found))[:3])
            raise SuvRefused(
                "series-not-homogeneous",
                f"The slices differ in {name} ({listed}): more than one series?",
            )


def _require_measurable(headers: Sequence[PetHeader]) -> None:
    header = headers[0]
    _require_primary(header)
    if header.units not in {"BQML", "CNTS", "GML"}:
        raise SuvRefused(
            "units-unsupported",
            f"Units (0054,1001) must be BQML, CNTS or GML, got {header.units or 'nothing'}.",
        )
    _require_corrections(header)
    if any(not (h.rescale_slope is not None and h.rescale_slope > 0) for h in headers):
        raise SuvRefused(
            "rescale-slope-missing", "Rescale Slope (0028,1053) must be positive on every slice."
        )
    if any(h.rescale_intercept is None for h in headers):
        raise SuvRefused(
            "rescale-intercept-missing", "Rescale Intercept (0028,1052) is missing on a slice."
        )


def _require_primary(header: PetHeader) -> None:
    if header.sop_class_uid != PET_IMAGE_STORAGE or header.number_of_frames != 1:
        raise SuvRefused(
            "sop-class-unsupported",
            f"SOP Class {header.sop_class_uid} with {header.number_of_frames} frame(s) is not a "
            "PET Image of one slice.",
        )
    if _is_secondary(header):
        raise SuvRefused(
            "derived-image",
            f"Image Type (0008,0008) {', '.join(header.image_type)} is not the reconstructed "
            "image but something made from it.",
        )


def _is_secondary(header: PetHeader) -> bool:
    kinds = {part.upper() for part in header.image_type}
    reformatted = any(kind.startswith(("CSA M", "MIP", "MPR")) for kind in kinds)
    projected = "REPROJECTION" in header.series_type
    return reformatted or projected or {"DERIVED", "SECONDARY"} <= kinds


def _require_corrections(header: PetHeader) -> None:
    corrections = set(header.corrected_image)
    listed = ", ".join(header.corrected_image) or "nothing"
    if "ATTN" not in corrections:
        raise SuvRefused(
            "not-attenuation-corrected",
            f"Corrected Image (0028,0051) must contain ATTN, got {listed}.",
        )
    if header.decay_correction == "NONE":
        contradictory = "DECY" in corrections
        raise SuvRefused(
            "decay-correction-contradictory" if contradictory else "decay-correction-none",
            "Decay Correction (0054,1102) is NONE"
            + (" but Corrected Image contains DECY." if contradictory else "; not supported."),
        )
    if header.decay_correction not in {"START", "ADMIN"}:
        raise SuvRefused(
            "decay-correction-missing",
            "Decay Correction (0054,1102) must be START or ADMIN, got "
            f"{header.decay_correction or 'nothing'}.",
        )
    if "DECY" not in corrections:
        raise SuvRefused(
            "not-decay-corrected", f"Corrected Image (0028,0051) must contain DECY, got {listed}."
        )


def _image_flags(headers: Sequence[PetHeader]) -> tuple[str, ...]:
    derived = "DERIVED" in {part.upper() for part in headers[0].image_type}
    shifted = any(h.rescale_intercept for h in headers)
    return ("derived-image",) * derived + ("rescale-intercept",) * shifted


def _require_body_weight_type(header: PetHeader) -> None:
    if header.suv_type not in {"", "BW"}:
        raise SuvRefused(
            "suv-type-unsupported",
            f"SUV Type (0054,1006) must be BW or absent, got {header.suv_type}.",
        )


def _prescaled(headers: Sequence[PetHeader]) -> SuvScale:
    """Values that are SUVbw already; weight and activity can no longer be corrected."""
    header = headers[0]
    _require_body_weight_type(header)
    items = header.radiopharmaceuticals
    flags = _image_flags(headers)
    return SuvScale(
        factor=1.0,
        factor_unit="1",
        status="FLAGGED" if flags else "COMPUTED",
        units=header.units,
        decay_correction=header.decay_correction,
        nuclide=items[0].nuclide if len(items) == 1 else None,
        half_life=None,
        reference=None,
        injection=None,
        decay_seconds=None,
        injected_activity=None,
        decayed_activity=None,
        weight=None,
        witnesses=(),
        flags=flags,
        adaptations=(),
        inputs=_image_inputs(header),
    )


def _from_activity(headers: Sequence[PetHeader]) -> SuvScale:
    header = headers[0]
    item = _single_radiopharmaceutical(header)
    half_life, half_life_flags = _half_life(item)
    activity, activity_flags = _injected_activity(item)
    weight = _weight(header)
    timing = _timing(headers, item, half_life)
    at_reference = decayed(activity, elapsed=timing.decay_seconds, half_life=half_life)
    factor, unit, scanner = _factor(header, weight_activity_factor(weight, at_reference))
    flags = _image_flags(headers) + half_life_flags + activity_flags + timing.flags
    return SuvScale(
        factor=factor,
        factor_unit=unit,
        status="FLAGGED" if flags else "COMPUTED",
        units=header.units,
        decay_correction=header.decay_correction,
        nuclide=item.nuclide,
        half_life=half_life,
        reference=timing.reference,
        injection=timing.injection,
        decay_seconds=timing.decay_seconds,
        injected_activity=activity,
        decayed_activity=at_reference,
        weight=weight,
        witnesses=timing.witnesses,
        flags=flags,
        adaptations=timing.adaptations + scanner,
        inputs=_image_inputs(header) + _activity_inputs(header, item) + _slice_inputs(headers),
    )


def _factor(header: PetHeader, per_becquerel: float) -> tuple[float, str, tuple[str, ...]]:
    """Factor, its unit and adaptations, from what one Bq/mL is worth in SUVbw."""
    if header.units == "BQML":
        # The private Philips factors belong to counts; with Bq/mL they are never applied.
        return per_becquerel, "g/Bq", ()
    _require_body_weight_type(header)
    suv, activity = header.philips_suv_factor, header.philips_activity_factor
    # Scanners write "0.000000" for a factor they do not know.
    if activity and activity > 0:
        _require_agreement(suv, activity * per_becquerel)
        return activity * per_becquerel, "g/mL", ()
    if suv and suv > 0:
        return suv, "g/mL", ("scanner-suv-factor",)
    raise SuvRefused(
        "scale-factor-missing",
        "Units are counts and neither Philips factor (7053,xx00) or (7053,xx09) is there.",
    )


def _require_agreement(scanner: float | None, computed: float) -> None:
    if scanner and scanner > 0 and abs(scanner / computed - 1) > PHILIPS_FACTOR_TOLERANCE:
        raise SuvRefused(
            "scale-factors-disputed",
            f"The scanner's SUV factor {scanner:g} (7053,xx00) is more than "
            f"{PHILIPS_FACTOR_TOLERANCE:.0%} from {computed:.6g}, computed from weight, activity "
            "and times.",
        )


# ------------------------------------------------------------------ weight, activity, half-life


def _single_radiopharmaceutical(header: PetHeader) -> Radiopharmaceutical:
    count = len(header.radiopharmaceuticals)
    if count == 1:
        return header.radiopharmaceuticals[0]
    raise SuvRefused(
        "several-radiopharmaceuticals" if count else "radiopharmaceutical-missing",
        f"Radiopharmaceutical Information Sequence (0054,0016) must have one item, got {count}.",
    )


def _half_life(item: Radiopharmaceutical) -> tuple[float, tuple[str, ...]]:
    if item.half_life is None or not item.half_life > 0:
        raise SuvRefused(
            "half-life-missing",
            f"Radionuclide Half Life (0018,1075) must be positive, got {item.half_life}.",
        )
    low, high = HALF_LIFE_S
    if not low <= item.half_life <= high:
        raise SuvRefused(
            "half-life-implausible",
            f"Radionuclide Half Life (0018,1075) is {item.half_life:g} s.",
        )
    if item.nuclide is None:
        return item.half_life, ("nuclide-unverified",)
    if abs(item.half_life / HALF_LIFE[item.nuclide] - 1) > HALF_LIFE_TOLERANCE:
        raise SuvRefused(
            "half-life-disputed",
            f"Radionuclide Half Life (0018,1075) is {item.half_life:g} s; {item.nuclide} has "
            f"{HALF_LIFE[item.nuclide]:g} s.",
        )
    return item.half_life, ()


def _injected_activity(item: Radiopharmaceutical) -> tuple[float, tuple[str, ...]]:
    dose = item.total_dose
    if dose is None or not dose > 0:
        raise SuvRefused(
            "dose-missing", f"Radionuclide Total Dose (0018,1074) must be positive, got {dose}."
        )
    in_mbq = dose < SMALLEST_DOSE_BQ
    activity = dose * BQ_PER_MBQ if in_mbq else dose
    if not ACTIVITY_BQ[0] <= activity <= ACTIVITY_BQ[1]:
        raise SuvRefused("dose-implausible", f"Radionuclide Total Dose (0018,1074) is {dose:g}.")
    low, high = PLAUSIBLE_MBQ.get(item.nuclide or "", (0.0, float("inf")))
    implausible = not low <= activity / BQ_PER_MBQ <= high
    return activity, ("dose-in-megabecquerel",) * in_mbq + ("activity-implausible",) * implausible


def _weight(header: PetHeader) -> float:
    weight = header.patient_weight
    if not weight:
        raise SuvRefused(
            "weight-missing", f"Patient's Weight (0010,1030) must be positive, got {weight} kg."
        )
    low, high = WEIGHT_KG
    if not low <= weight <= high:
        raise SuvRefused(
            "weight-implausible",
            f"Patient's Weight (0010,1030) must be {low:g} to {high:g} kg, got {weight:g}.",
        )
    return weight


# ---------------------------------------------------------------------- from injection to image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    reference: datetime | None
    injection: datetime | None
    decay_seconds: float
    witnesses: tuple[Witness, ...] = ()
    flags: tuple[str, ...] = ()
    adaptations: tuple[str, ...] = ()


def _timing(headers: Sequence[PetHeader], item: Radiopharmaceutical, half_life: float) -> _Timing:
    header = headers[0]
    if header.decay_correction == "ADMIN":
        # The values refer to the injection: activity as injected, and no time is needed.
        recorded = item.start_datetime.local if item.start_datetime else None
        return _Timing(reference=recorded, injection=recorded, decay_seconds=0.0)
    reference = reference_time(headers, half_life=half_life)
    if reference.instant is None or reference.refusal is not None:
        code, message = reference.refusal or ("reference-time-missing", "No reference instant.")
        raise SuvRefused(code, message, reference.witnesses)
    elapsed, notes = _since_injection(header, item, reference.instant, half_life)
    _require_plausible_uptake(header, elapsed, half_life, reference)
    during = ("injection-during-acquisition",) * (elapsed < 0)
    return _Timing(
        reference=reference.instant,
        injection=reference.instant - timedelta(seconds=elapsed),
        decay_seconds=elapsed,
        witnesses=reference.witnesses,
        flags=reference.flags + _clock_flags(item),
        adaptations=reference.adaptations + notes + during,
    )


def _since_injection(
    header: PetHeader, item: Radiopharmaceutical, reference: datetime, half_life: float
) -> tuple[float, tuple[str, ...]]:
    """Seconds from injection to reference, and what had to be adapted."""
    start = item.start_datetime
    notes: tuple[str, ...] = ()
    local = None
    if start is not None:
        local = start.in_zone(header.utc_offset)
        notes = ("injection-in-zone-of-series",) * (local != start.local)
        elapsed = (reference - local).total_seconds()
        if EARLIEST_UPTAKE <= elapsed < 2 * half_life:
            return elapsed, notes
    clock = local.time() if local else item.start_time
    if clock is None:
        raise SuvRefused(
            "injection-time-missing",
            "Neither Radiopharmaceutical Start DateTime (0018,1078) nor Start Time (0018,1072).",
        )
    if half_life >= LONG_LIVED:
        raise SuvRefused(
            "injection-date-missing",
            "A half-life this long needs a Radiopharmaceutical Start DateTime (0018,1078) within "
            f"two half-lives of the scan, got {start.local if start else 'only a time of day'}.",
        )
    elapsed = seconds_between(reference.time(), clock)
    if elapsed < EARLIEST_UPTAKE:
        elapsed += DAY
    return elapsed, (
        *notes,
        "injection-date-replaced" if local else "injection-date-from-reference",
    )


def _clock_flags(item: Radiopharmaceutical) -> tuple[str, ...]:
    if item.start_datetime is None or item.start_time is None:
        return ()
    apart = seconds_between(item.start_datetime.local.time(), item.start_time)
    return ("injection-times-differ",) * (abs(apart) > SAME_INSTANT)


def _require_plausible_uptake(
    header: PetHeader, elapsed: float, half_life: float, reference: Reference
) -> None:
    if elapsed < 0 and "DYNAMIC" not in header.series_type:
        raise SuvRefused(
            "negative-uptake",
            f"The injection is {-elapsed:g} s after the reference instant of a static series: a "
            "clock is wrong.",
            reference.witnesses,
        )
    if elapsed > 2 * half_life:
        raise SuvRefused(
            "uptake-implausible",
            f"{elapsed / 60:.0f} min from injection to scan are more than two half-lives.",
            reference.witnesses,
        )


# ------------------------------------------------------------------------------ what was read


def _image_inputs(header: PetHeader) -> tuple[Input, ...]:
    return (
        Input("Units", "(0054,1001)", header.units, ""),
        Input("SUV Type", "(0054,1006)", header.suv_type, ""),
        Input("Corrected Image", "(0028,0051)", list(header.corrected_image), ""),
        Input("Decay Correction", "(0054,1102)", header.decay_correction, ""),
        Input("Image Type", "(0008,0008)", list(header.image_type), ""),
        Input("Manufacturer", "(0008,0070)", header.manufacturer, ""),
    )


def _activity_inputs(header: PetHeader, item: Radiopharmaceutical) -> tuple[Input, ...]:
    start = item.start_datetime
    return (
        Input("Patient's Weight", "(0010,1030)", header.patient_weight, "kg"),
        Input("Radionuclide Total Dose", "(0018,1074)", item.total_dose, "Bq"),
        Input("Radionuclide Half Life", "(0018,1075)", item.half_life, "s"),
        Input("Radionuclide", "(0054,0300)", item.code_meaning or item.code_value, ""),
        Input("Radiopharmaceutical Start Time", "(0018,1072)", _iso(item.start_time), ""),
        Input("Radiopharmaceutical Start DateTime", "(0018,1078)", start and start.to_json(), ""),
        Input("Series Date", "(0008,0021)", _iso(header.series_date), ""),
        Input("Series Time", "(0008,0031)", _iso(header.series_time), ""),
        Input("SUV Scale Factor", "(7053,xx00)", header.philips_suv_factor, "g/mL"),
        Input(
            "Activity Concentration Scale Factor",
            "(7053,xx09)",
            header.philips_activity_factor,
            "Bq/mL",
        ),
    )


def _slice_inputs(headers: Sequence[PetHeader]) -> tuple[Input, ...]:
    """What differs between slices, as [smallest, largest]."""
    return tuple(
        Input(name, tag, [min(values), max(values)] if values else None, unit)
        for name, tag, unit, values in (
            ("Acquisition Time", "(0008,0032)", "", _present(headers, "acquisition_time")),
            (
                "Frame Reference Time",
                "(0054,1300)",
                "ms",
                _present(headers, "frame_reference_time"),
            ),
            (
                "Actual Frame Duration",
                "(0018,1242)",
                "ms",
                _present(headers, "actual_frame_duration"),
            ),
            ("Decay Factor", "(0054,1321)", "", _present(headers, "decay_factor")),
            ("Rescale Slope", "(0028,1053)", "", _present(headers, "rescale_slope")),
            ("Rescale Intercept", "(0028,1052)", "", _present(headers, "rescale_intercept")),
        )
    )


def _present(headers: Sequence[PetHeader], name: str) -> list[Any]:
    values = [value for h in headers if (value := getattr(h, name)) is not None]
    return [_iso(value) if isinstance(value, time) else value for value in values]


def _iso(value: date | time | None) -> str | None:
    return None if value is None else value.isoformat()
