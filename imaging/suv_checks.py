"""What the headers of a series must hold before its values can become SUV.

Each check returns what it found, or refuses by name. What is missing, zero or impossible is
never replaced by something likely.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import fields
from types import MappingProxyType

from imaging.headers import PetHeader, Radiopharmaceutical
from imaging.image_types import is_picture
from imaging.suv_terms import Policy, SuvRefused
from trials.decay import HALF_LIFE

PET_IMAGE_STORAGE = "1.2.840.10008.5.1.4.1.1.128"
ENHANCED = {
    "1.2.840.10008.5.1.4.1.1.130": "Enhanced PET Image Storage",
    "1.2.840.10008.5.1.4.1.1.128.1": "Legacy Converted Enhanced PET Image Storage",
}
HALF_LIFE_TOLERANCE = 0.01
WEIGHT_KG = (1.0, 400.0)
SIZE_M = (0.2, 3.0)
# No patient weighs as much in kg.
SMALLEST_WEIGHT_G = 1000.0
# From rubidium-82 to sodium-22; beyond, nothing is injected for PET.
HALF_LIFE_S = (60.0, 1e8)
ACTIVITY_BQ = (1e4, 1e11)
BQ_PER_MBQ = 1e6
# A dose below this in Bq can only have been written in MBq.
SMALLEST_DOSE_BQ = 1e4
PLAUSIBLE_MBQ: Mapping[str | None, tuple[float, float]] = MappingProxyType(
    {"F-18": (20, 1000), "Ga-68": (20, 400), "Zr-89": (10, 200), "Lu-177": (100, 10000)}
)

# Attenuation Correction Method (0054,1101) of what was not corrected: "NONE", and Philips's
# "Attenuation Cor=NONE,…".
_NO_METHOD = ("NONE", "ATTENUATION COR=NONE")

# Geometry judges position, orientation and spacing, with tolerances of its own; what a study
# and a series are looked up by says nothing of their values, and older records lack it.
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
        "study_date",
        "study_time",
        "series_number",
        "series_description",
        "study_description",
        # One for each bed, bin or frame; what frames and reconstructions mean together is judged
        # by imaging.mixtures.
        "acquisition_number",
        "convolution_kernel",
        "trigger_time",
        "temporal_position",
        "attenuation_correction_method",
    }
)
_PER_SERIES = tuple(f.name for f in fields(PetHeader) if f.name not in _PER_SLICE)


def require_one_series(headers: Sequence[PetHeader]) -> None:
    """Raise unless there is a slice, and all slices say the same of the series."""
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


def require_measurable(headers: Sequence[PetHeader]) -> None:
    """Raise unless the pixel values are attenuation-corrected activity, or SUV, of slices."""
    header = headers[0]
    _require_primary(header)
    if header.units not in {"BQML", "CNTS", "GML", "CM2ML"}:
        raise SuvRefused(
            "units-unsupported",
            f"Units (0054,1001) must be BQML, CNTS, GML or CM2ML, got {header.units or 'nothing'}.",
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


def is_contradictory(header: PetHeader) -> bool:
    """Whether the values are said to be decay-corrected, and not to be."""
    return header.decay_correction == "NONE" and "DECY" in header.corrected_image


def is_attenuation_corrected(header: PetHeader) -> bool:
    """Whether Corrected Image (0028,0051) has ATTN, and no method denies it."""
    return "ATTN" in header.corrected_image and not _denies_correction(header)


def _denies_correction(header: PetHeader) -> bool:
    return header.attenuation_correction_method.upper().split(",")[0].strip() in _NO_METHOD


def image_flags(headers: Sequence[PetHeader]) -> tuple[str, ...]:
    """What is unusual about the image, and tolerated."""
    derived = "DERIVED" in {part.upper() for part in headers[0].image_type}
    shifted = any(h.rescale_intercept for h in headers)
    kind = headers[0].series_type[:1]
    return (
        ("derived-image",) * derived
        + ("rescale-intercept",) * shifted
        + ("dynamic-frames",) * (kind == ("DYNAMIC",))
        + ("gated-bins",) * (kind == ("GATED",))
    )


def _require_primary(header: PetHeader) -> None:
    if header.sop_class_uid in ENHANCED:
        raise SuvRefused(
            "enhanced-pet-unsupported",
            f"{ENHANCED[header.sop_class_uid]} (0008,0016) is not read yet: export the series "
            "as PET Image Storage, one file a slice.",
        )
    if header.sop_class_uid != PET_IMAGE_STORAGE or header.number_of_frames != 1:
        raise SuvRefused(
            "sop-class-unsupported",
            f"SOP Class {header.sop_class_uid} (0008,0016) with {header.number_of_frames} "
            "frame(s) is not a PET Image of one slice.",
        )
    if _is_projection(header):
        listed = ", ".join((*header.image_type, *header.series_type))
        raise SuvRefused(
            "projection-or-reformat",
            f"Image Type (0008,0008) or Series Type (0054,1000) says {listed}: a projection, "
            "reformat, fusion or rendering, not the reconstructed image.",
        )


def _is_projection(header: PetHeader) -> bool:
    return is_picture(header.image_type) or "REPROJECTION" in {
        part.upper() for part in header.series_type
    }


def _require_corrections(header: PetHeader) -> None:
    corrections = set(header.corrected_image)
    listed = ", ".join(header.corrected_image) or "nothing"
    if "ATTN" not in corrections:
        raise SuvRefused(
            "not-attenuation-corrected",
            f"Corrected Image (0028,0051) must contain ATTN, got {listed}.",
        )
    if _denies_correction(header):
        raise SuvRefused(
            "attenuation-correction-contradictory",
            "Corrected Image (0028,0051) says that attenuation was corrected, and Attenuation "
            "Correction Method (0054,1101) that it was not. Send the corrected reconstruction.",
        )
    if header.decay_correction not in {"START", "ADMIN", "NONE"}:
        raise SuvRefused(
            "decay-correction-missing",
            "Decay Correction (0054,1102) must be START, ADMIN or NONE, got "
            f"{header.decay_correction or 'nothing'}.",
        )
    if "DECY" not in corrections and header.decay_correction != "NONE":
        raise SuvRefused(
            "not-decay-corrected",
            f"Corrected Image (0028,0051) must contain DECY with Decay Correction "
            f"{header.decay_correction}, got {listed}.",
        )


# ------------------------------------------------------------------ weight, activity, half-life


def single_radiopharmaceutical(header: PetHeader) -> Radiopharmaceutical:
    """The one item; several would have to be told apart by more than their order."""
    count = len(header.radiopharmaceuticals)
    if count == 1:
        return header.radiopharmaceuticals[0]
    raise SuvRefused(
        "several-radiopharmaceuticals" if count else "radiopharmaceutical-missing",
        f"Radiopharmaceutical Information Sequence (0054,0016) must have one item, got {count}.",
    )


def half_life(item: Radiopharmaceutical, policy: Policy) -> tuple[float, tuple[str, ...]]:
    """Half-life in s as the header gives it, checked against its nuclide; flags."""
    value = item.half_life
    if value is None or not value > 0:
        raise SuvRefused(
            "half-life-missing",
            f"Radionuclide Half Life (0018,1075) must be positive, got {value}.",
        )
    low, high = HALF_LIFE_S
    if not low <= value <= high:
        raise SuvRefused(
            "half-life-implausible", f"Radionuclide Half Life (0018,1075) is {value:g} s."
        )
    if policy != "witnesses":
        return value, ()
    if item.nuclide is None:
        return value, ("nuclide-unverified",)
    if abs(value / HALF_LIFE[item.nuclide] - 1) > HALF_LIFE_TOLERANCE:
        raise SuvRefused(
            "half-life-disputed",
            f"Radionuclide Half Life (0018,1075) is {value:g} s; {item.nuclide} has "
            f"{HALF_LIFE[item.nuclide]:g} s.",
        )
    return value, ()


def injected_activity(item: Radiopharmaceutical, policy: Policy) -> tuple[float, tuple[str, ...]]:
    """Injected activity in Bq, and flags."""
    dose = item.total_dose
    if dose is None or not dose > 0:
        raise SuvRefused(
            "dose-missing", f"Radionuclide Total Dose (0018,1074) must be positive, got {dose}."
        )
    in_mbq = dose < SMALLEST_DOSE_BQ and policy != "qiba"
    activity = dose * BQ_PER_MBQ if in_mbq else dose
    if not ACTIVITY_BQ[0] <= activity <= ACTIVITY_BQ[1] and policy != "qiba":
        raise SuvRefused("dose-implausible", f"Radionuclide Total Dose (0018,1074) is {dose:g}.")
    usual = (bound / BQ_PER_MBQ for bound in ACTIVITY_BQ)
    low, high = PLAUSIBLE_MBQ.get(item.nuclide, tuple(usual))
    implausible = not low <= activity / BQ_PER_MBQ <= high
    return activity, ("dose-in-megabecquerel",) * in_mbq + ("activity-implausible",) * implausible


def weight(header: PetHeader, policy: Policy) -> tuple[float, tuple[str, ...]]:
    """Weight in kg, and flags."""
    value = header.patient_weight
    if value is None or value <= 0:
        raise SuvRefused(
            "weight-missing", f"Patient's Weight (0010,1030) must be positive, got {value} kg."
        )
    if policy == "qiba":
        return value, ()
    in_grams = value >= SMALLEST_WEIGHT_G
    kilograms = value / 1000.0 if in_grams else value
    low, high = WEIGHT_KG
    if not low <= kilograms <= high:
        raise SuvRefused(
            "weight-implausible",
            f"Patient's Weight (0010,1030) must be {low:g} to {high:g} kg, got {value:g}.",
        )
    return kilograms, ("weight-in-grams",) * in_grams


def size(header: PetHeader) -> tuple[float, tuple[str, ...]]:
    """Height in m, and flags."""
    value = header.patient_size
    if value is None or value <= 0:
        raise SuvRefused(
            "size-missing", f"Patient's Size (0010,1020) must be positive, got {value} m."
        )
    in_centimetres = value > SIZE_M[1]
    metres = value / 100.0 if in_centimetres else value
    low, high = SIZE_M
    if not low <= metres <= high:
        raise SuvRefused(
            "size-implausible",
            f"Patient's Size (0010,1020) must be {low:g} to {high:g} m, got {value:g}.",
        )
    return metres, ("size-in-centimetres",) * in_centimetres
