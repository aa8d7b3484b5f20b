"""Standardized uptake value normalised by body weight, from the headers of a PET series.

    SUVbw [g/mL] = (stored * slope + intercept) * factor
    factor [g/Bq] = W [kg] * 1000 / A [Bq]

where A is the injected activity, decayed to the instant the pixel values refer to. That
instant is the whole error budget: with Decay Correction START the vendors mean the start
of the series, the standard says acquisition, a workstation may have rewritten either, and
an hour is a factor of 1.46 for fluorine-18. So it is never taken on trust. Up to five
witnesses in the headers say what it was; the table of what each one says is part of every
result, and a series whose witnesses disagree gets no number.

Three policies, recorded with every number: `witnesses`, ours; `ibsi` and `qiba`, the two
published algorithms as they are, to compare with.

What is not understood is refused by name. A missing weight, dose, time or half-life is
never replaced by a likely one. Where a person may decide, the verdict is REVIEW and what
would hold is a candidate, never a number.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import date, datetime, time, timedelta
from operator import add
from types import MappingProxyType
from typing import Any, Literal

from imaging import suv_checks as checks
from imaging.administration import (
    began_before,
    clock_flags,
    doubt_about_uptake,
    seconds_since_injection,
)
from imaging.compared_policies import ibsi_reference, qiba_reference
from imaging.completeness import is_incomplete
from imaging.header_values import Instant
from imaging.headers import PetHeader, Radiopharmaceutical
from imaging.normalisations import (
    NEEDS_SEX,
    UNIT,
    NormalisationError,
    is_past_turning,
    normaliser,
)
from imaging.reference_time import (
    Reference,
    Witness,
    average_time,
    frame_duration,
    may_stand_still,
    reference_time,
    testimony,
)
from imaging.suv_inputs import (
    activity_inputs,
    body_inputs,
    image_inputs,
    iso,
    recorded_inputs,
    slice_inputs,
)
from imaging.suv_terms import (
    ADAPTATIONS,
    FLAGS,
    POLICIES,
    Input,
    Policy,
    Recorded,
    Status,
    SuvRefused,
)
from trials.decay import decayed

PHILIPS_FACTOR_TOLERANCE = 0.02
# Units of values that are SUV already.
PRESCALED = frozenset({"GML", "CM2ML"})
# Flags that say what was changed, and so are adaptations too.
ADAPTING = ("dose-in-megabecquerel", "weight-in-grams", "size-in-centimetres")
REFERENCE: Mapping[Policy, Callable[..., Reference]] = MappingProxyType(
    {"witnesses": reference_time, "ibsi": ibsi_reference, "qiba": qiba_reference}
)
Doubt = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class SuvScale:
    """What turns rescaled pixel values of one series into SUVbw, and why.

    `factor` has the unit `factor_unit`: g/Bq for values in Bq/mL, g/mL for counts, 1 for
    values that are SUVbw already, 1 or g/cm2 for values normalised otherwise. With Decay
    Correction NONE it is None and `factors` has one for each slice, in the order of the
    headers. `injected_activity` and `decayed_activity` are in Bq, `decay_seconds` from
    injection to `reference`; they are None where the factor does not depend on them.
    """

    policy: Policy
    factor: float | None
    factors: tuple[float, ...] = ()
    factor_unit: str
    status: Status
    units: str
    decay_correction: str
    nuclide: str | None = None
    half_life: float | None = None
    reference: datetime | None = None
    injection: datetime | None = None
    decay_seconds: float | None = None
    injected_activity: float | None = None
    decayed_activity: float | None = None
    weight: float | None = None
    witnesses: tuple[Witness, ...]
    flags: tuple[str, ...]
    adaptations: tuple[str, ...] = ()
    inputs: tuple[Input, ...]

    def of_slice(self, index: int) -> float:
        """Factor of one slice, by its place among the headers."""
        return self.factors[index] if self.factor is None else self.factor

    def derivation(self) -> dict[str, Any]:
        """Everything above with policy and explanations, as JSON values."""
        plain = {f.name: getattr(self, f.name) for f in fields(self)}
        name, version = POLICIES[self.policy]
        return plain | {
            "policy": name,
            "policy_version": version,
            "factors": list(self.factors),
            "reference": iso(self.reference),
            "injection": iso(self.injection),
            "witnesses": [asdict(w) for w in self.witnesses],
            "flags": [{"code": code, "meaning": FLAGS[code]} for code in self.flags],
            "adaptations": [{"code": c, "meaning": ADAPTATIONS[c]} for c in self.adaptations],
            "inputs": [asdict(i) for i in self.inputs],
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What can be said of a series: a scale, a candidate that a person decides about, or none.

    A number is in `scale`, and only with COMPUTED or COMPUTED-FLAGGED.
    """

    policy: Policy
    status: Status
    code: str = ""
    message: str = ""
    attribute: str = ""
    scale: SuvScale | None = None
    candidate: SuvScale | None = None
    witnesses: tuple[Witness, ...] = ()


def assess(headers: Sequence[PetHeader], *, policy: Policy = "witnesses") -> Verdict:
    """Verdict on the slices of one series; never raises for what they say.

    Parameters as `suvbw_scale`.
    """
    try:
        scale = suvbw_scale(headers, policy=policy)
    except SuvRefused as refused:
        return Verdict(
            policy=policy,
            status=refused.status,
            code=refused.code,
            message=refused.message,
            attribute=refused.attribute,
            candidate=refused.candidate,
            witnesses=refused.witnesses or _unjudged(headers),
        )
    return Verdict(policy=policy, status=scale.status, scale=scale, witnesses=scale.witnesses)


def suvbw_scale(
    headers: Sequence[PetHeader],
    *,
    policy: Policy = "witnesses",
    recorded: Recorded | None = None,
    source: Literal["header", "record"] = "header",
) -> SuvScale:
    """Factor from rescaled pixel values to SUVbw for the slices of one series.

    Parameters
    ----------
    headers : sequence of PetHeader
        One or more slices of the series, in any order. Dropping slices never changes the
        factor, it can only lead to a refusal or a flag.
    policy : {"witnesses", "ibsi", "qiba"}
        Whose rules decide; recorded with the result.
    recorded : Recorded, optional
        What the site recorded of the injection.
    source : {"header", "record"}
        Whose weight, activity and injection time count. With "header" a recorded weight
        stands in for one that the headers lack, flagged.

    Returns
    -------
    SuvScale

    Raises
    ------
    SuvRefused
        With a stable code, if the headers do not settle the factor; with a candidate if a
        person may.

    References
    ----------
    DICOM PS3.3 C.8.9.1 and C.8.9.4; IBSI-SUV 3.0.1; QIBA vendor-neutral pseudo-code for SUV.
    """
    checks.require_one_series(headers)
    if recorded and source == "record":
        return _by_record(headers, policy, recorded)
    if recorded and not headers[0].patient_weight:
        return _with_recorded_weight(headers, policy, recorded)
    return _by_headers(headers, policy)


def _by_record(headers: Sequence[PetHeader], policy: Policy, recorded: Recorded) -> SuvScale:
    """The record's weight, activity and time in place of the headers', where that is possible."""
    if _is_baked_in(headers[0], policy):
        return _with_flag(_by_headers(headers, policy), "record-not-applied")
    changed = [_rewritten(header, recorded) for header in headers]

    def told(scale: SuvScale) -> SuvScale:
        adaptations = ("computed-from-record", *scale.adaptations)
        inputs = (*_read(headers), *recorded_inputs(recorded))
        return replace(scale, adaptations=adaptations, inputs=inputs)

    return _by_changed(changed, policy, told)


def _with_recorded_weight(
    headers: Sequence[PetHeader], policy: Policy, recorded: Recorded
) -> SuvScale:
    if _is_baked_in(headers[0], policy):
        return _by_headers(headers, policy)
    changed = [replace(header, patient_weight=recorded.weight) for header in headers]

    def told(scale: SuvScale) -> SuvScale:
        inputs = (*_read(headers), *recorded_inputs(recorded)[:1])
        return replace(_with_flag(scale, "weight-from-record"), inputs=inputs)

    return _by_changed(changed, policy, told)


def _by_changed(
    headers: Sequence[PetHeader], policy: Policy, told: Callable[[SuvScale], SuvScale]
) -> SuvScale:
    """Scale, or candidate, of headers with the record's values in them, told for what it is."""
    try:
        return told(_by_headers(headers, policy))
    except SuvRefused as refused:
        if refused.candidate is not None:
            refused.candidate = told(refused.candidate)
        raise


def _is_baked_in(header: PetHeader, policy: Policy) -> bool:
    """Whether the scanner put weight and activity into the values, so that they stay there."""
    if header.units != "CNTS":
        return header.units in PRESCALED
    suv, activity = _philips_factors(header)
    return activity <= 0 or (policy == "qiba" and suv > 0)


def _rewritten(header: PetHeader, recorded: Recorded) -> PetHeader:
    items = tuple(
        replace(
            item,
            total_dose=recorded.activity,
            start_datetime=Instant(recorded.injected_at, is_recorded=recorded.is_dated),
            start_time=None,
        )
        for item in header.radiopharmaceuticals
    )
    return replace(header, patient_weight=recorded.weight, radiopharmaceuticals=items)


def _read(headers: Sequence[PetHeader]) -> tuple[Input, ...]:
    """Everything the headers say that a factor is computed from, where it is from activity."""
    header = headers[0]
    item = checks.single_radiopharmaceutical(header)
    return image_inputs(header) + activity_inputs(header, item) + slice_inputs(headers)


def _by_headers(headers: Sequence[PetHeader], policy: Policy) -> SuvScale:
    checks.require_measurable(headers)
    header = headers[0]
    if policy == "qiba":
        _require_qiba(header)
    if checks.is_contradictory(header):
        raise _contradictory(headers, policy)
    scale, doubts = _scale_and_doubts(headers, policy)
    if doubts:
        raise _for_review(doubts, scale)
    return scale


def _scale_and_doubts(headers: Sequence[PetHeader], policy: Policy) -> tuple[SuvScale, list[Doubt]]:
    if headers[0].units in PRESCALED:
        return _prescaled(headers, policy), _doubt_about_prescaled(headers[0], policy)
    return _from_activity(headers, policy)


def _for_review(doubts: Sequence[Doubt], candidate: SuvScale) -> SuvRefused:
    return SuvRefused(
        doubts[0][0],
        " ".join(message for _, message in doubts),
        candidate.witnesses,
        status="REVIEW",
        candidate=candidate,
        doubts=tuple(code for code, _ in doubts),
    )


def weight_activity_factor(weight: float, activity: float) -> float:
    """Factor in g/Bq for a weight in kg and an activity in Bq.

    70 kg and 370 MBq at the reference instant:

    >>> round(weight_activity_factor(70, 370e6), 9)
    0.000189189
    """
    return weight * 1000.0 / activity


def _require_qiba(header: PetHeader) -> None:
    if header.decay_correction != "START" or header.units == "CM2ML":
        raise SuvRefused(
            "not-in-policy",
            "QIBA's pseudo-code knows Decay Correction (0054,1102) START with Units BQML, CNTS "
            f"or GML, got {header.decay_correction} and {header.units}.",
        )


def _unjudged(headers: Sequence[PetHeader]) -> tuple[Witness, ...]:
    """What the witnesses say of a series that was refused before anyone asked them."""
    return testimony(headers, _single_half_life(headers[0])) if headers else ()


def _idle(headers: Sequence[PetHeader], half_life: float | None, why: str) -> tuple[Witness, ...]:
    """The witnesses of a series whose values depend on none of them."""
    return tuple(
        one if one.offset is None else replace(one, says="void", note=why)
        for one in testimony(headers, half_life)
    )


def _single_half_life(header: PetHeader) -> float | None:
    items = header.radiopharmaceuticals
    value = items[0].half_life if len(items) == 1 else None
    return value if value is not None and value > 0 else None


def _flagged(flags: Sequence[str]) -> Status:
    return "COMPUTED-FLAGGED" if flags else "COMPUTED"


def _with_flag(scale: SuvScale, flag: str) -> SuvScale:
    # A candidate under review stays one.
    status: Status = "COMPUTED-FLAGGED" if scale.status == "COMPUTED" else scale.status
    return replace(scale, flags=(*scale.flags, flag), status=status)


# --------------------------------------------------------------------- values that are SUV


def _prescaled(headers: Sequence[PetHeader], policy: Policy) -> SuvScale:
    """Values that are SUV already; weight and activity can no longer be corrected."""
    header = headers[0]
    # None does no harm; of several, whose activity the scanner divided by can't be told.
    items = header.radiopharmaceuticals
    nuclide = checks.single_radiopharmaceutical(header).nuclide if items else None
    flags = _series_flags(headers)
    scale = SuvScale(
        policy=policy,
        factor=1.0,
        factor_unit="1",
        status=_flagged(flags),
        units=header.units,
        decay_correction=header.decay_correction,
        nuclide=nuclide,
        witnesses=_idle(headers, _single_half_life(header), "the values are SUV already"),
        flags=flags,
        inputs=image_inputs(header),
    )
    suv_type = _suv_type(header)
    if suv_type == "BW":
        return scale
    if policy == "qiba":
        return _with_flag(scale, "suv-type-ignored")
    return _renormalised(scale, header, suv_type, policy)


def _doubt_about_prescaled(header: PetHeader, policy: Policy) -> list[Doubt]:
    """To what instant the scanner decayed the activity for values that it left uncorrected."""
    if header.decay_correction != "NONE" or policy != "witnesses":
        return []
    message = (
        f"Decay Correction (0054,1102) is NONE with Units (0054,1001) {header.units}: whether the "
        "scanner decayed the activity to each slice's own time can't be told from the headers."
    )
    return [("suv-not-decay-corrected", message)]


def _suv_type(header: PetHeader) -> str:
    suv_type = header.suv_type or ("BSA" if header.units == "CM2ML" else "BW")
    if suv_type not in UNIT or (suv_type == "BSA") != (header.units == "CM2ML"):
        raise SuvRefused(
            "suv-type-contradictory",
            f"SUV Type (0054,1006) {suv_type} does not go with Units (0054,1001) {header.units}.",
        )
    return suv_type


def _renormalised(scale: SuvScale, header: PetHeader, suv_type: str, policy: Policy) -> SuvScale:
    """Divide the normaliser out, and put body weight in its place."""
    weight, weight_flags = checks.weight(header, policy)
    size, size_flags = checks.size(header)
    mass, sex_flags = _normaliser(header, suv_type, weight, size, policy)
    flags = (*scale.flags, *weight_flags, *size_flags, *sex_flags)
    return replace(
        scale,
        factor=weight * 1000.0 / mass,
        factor_unit="g/cm2" if suv_type == "BSA" else "1",
        weight=weight,
        status=_flagged(flags),
        flags=flags,
        adaptations=("suv-type-undone", *(one for one in flags if one in ADAPTING)),
        inputs=(*scale.inputs, *body_inputs(header)),
    )


def _normaliser(
    header: PetHeader, suv_type: str, weight: float, size: float, policy: Policy
) -> tuple[float, tuple[str, ...]]:
    sex = header.patient_sex
    averaged = policy == "ibsi" and suv_type in NEEDS_SEX and sex == "O"
    sexes = ("M", "F") if averaged else (sex,)
    try:
        found = [normaliser(suv_type, weight=weight, size=size, sex=one) for one in sexes]
    except NormalisationError as error:
        raise SuvRefused("suv-type-not-undone", f"{error} SUV Type is (0054,1006).") from error
    past = any(is_past_turning(suv_type, weight=weight, size=size, sex=one) for one in sexes)
    flags = ("sex-averaged",) * averaged + ("lean-mass-past-turning",) * past
    return sum(found) / len(found), flags


def _contradictory(headers: Sequence[PetHeader], policy: Policy) -> SuvRefused:
    """DECY beside NONE, for a person: what would hold, were the values corrected to the start."""
    corrected = [replace(one, decay_correction="START") for one in headers]
    scale, doubts = _scale_and_doubts(corrected, policy)
    message = (
        "Decay Correction (0054,1102) is NONE but Corrected Image (0028,0051) contains DECY; the "
        "candidate takes the values as corrected to the start."
    )
    written = tuple(
        replace(one, value="NONE") if one.tag == "(0054,1102)" else one for one in scale.inputs
    )
    candidate = replace(scale, status="REVIEW", decay_correction="NONE", inputs=written)
    return _for_review([("decay-correction-contradictory", message), *doubts], candidate)


# ----------------------------------------------------------------- values that are activity


def _from_activity(headers: Sequence[PetHeader], policy: Policy) -> tuple[SuvScale, list[Doubt]]:
    header = headers[0]
    item = checks.single_radiopharmaceutical(header)
    half_life, half_life_flags = checks.half_life(item, policy)
    activity, activity_flags = checks.injected_activity(item, policy)
    weight, weight_flags = checks.weight(header, policy)
    timing = _timing(headers, item, half_life, policy)
    factors, unit, scanner, doubts = _factors(headers, weight, activity, half_life, timing, policy)
    flags = (
        *_series_flags(headers),
        *half_life_flags,
        *activity_flags,
        *weight_flags,
        *timing.flags,
    )
    per_slice = header.decay_correction == "NONE"
    scale = SuvScale(
        policy=policy,
        factor=None if per_slice else factors[0],
        factors=factors if per_slice else (),
        factor_unit=unit,
        status=_flagged(flags),
        units=header.units,
        decay_correction=header.decay_correction,
        nuclide=item.nuclide,
        half_life=half_life,
        reference=timing.reference,
        injection=timing.injection,
        decay_seconds=None if per_slice else timing.elapsed[0],
        injected_activity=activity,
        decayed_activity=None
        if per_slice
        else decayed(activity, elapsed=timing.elapsed[0], half_life=half_life),
        weight=weight,
        witnesses=timing.witnesses,
        flags=flags,
        adaptations=(
            *timing.adaptations,
            *scanner,
            *(one for one in flags if one in ADAPTING),
        ),
        inputs=_read(headers),
    )
    return scale, [*timing.doubts, *doubts]


def _series_flags(headers: Sequence[PetHeader]) -> tuple[str, ...]:
    return (*checks.image_flags(headers), *(("incomplete",) * is_incomplete(headers)))


def _factors(
    headers: Sequence[PetHeader],
    weight: float,
    activity: float,
    half_life: float,
    timing: _Timing,
    policy: Policy,
) -> tuple[tuple[float, ...], str, tuple[str, ...], list[Doubt]]:
    """Factor of each instant, their unit, adaptations, doubts."""
    header = headers[0]
    at = [decayed(activity, elapsed=one, half_life=half_life) for one in timing.elapsed]
    per_becquerel = tuple(weight_activity_factor(weight, one) for one in at)
    if any(not 0 < one < math.inf for one in per_becquerel):
        raise SuvRefused(
            "factor-impossible",
            f"Patient's Weight (0010,1030) of {weight:g} kg over {at[0]:g} Bq is no factor.",
        )
    if header.units == "BQML":
        # The private Philips factors belong to counts; with Bq/mL they are never applied.
        return per_becquerel, "g/Bq", (), []
    return _factors_of_counts(header, per_becquerel, policy)


def _factors_of_counts(
    header: PetHeader, per_becquerel: tuple[float, ...], policy: Policy
) -> tuple[tuple[float, ...], str, tuple[str, ...], list[Doubt]]:
    if header.suv_type not in {"", "BW"}:
        raise SuvRefused(
            "suv-type-unsupported",
            f"SUV Type (0054,1006) with counts must be BW or absent, got {header.suv_type}.",
        )
    suv, activity = _philips_factors(header)
    has_suv = suv > 0 and header.decay_correction != "NONE"
    if has_suv and (policy == "qiba" or activity <= 0):
        return (suv,), "g/mL", ("scanner-suv-factor",), []
    if activity <= 0:
        raise _factor_missing(header)
    factors = tuple(activity * one for one in per_becquerel)
    asked = has_suv and policy == "witnesses"
    return factors, "g/mL", (), _disagreement(suv, factors[0]) if asked else []


def _philips_factors(header: PetHeader) -> tuple[float, float]:
    """g/mL and Bq/mL per count; scanners write "0.000000" for one that they do not know."""
    return header.philips_suv_factor or 0.0, header.philips_activity_factor or 0.0


def _factor_missing(header: PetHeader) -> SuvRefused:
    orphans = (one for one in header.unreadable if one.startswith("(7053,"))
    found = (f" {one} is nobody's: its private creator is missing." for one in orphans)
    return SuvRefused(
        "scale-factor-missing",
        "Units (0054,1001) are counts and neither Philips factor, (7053,xx00) or (7053,xx09), "
        f"that would turn them into activity is there.{next(found, '')}",
    )


def _disagreement(scanner: float, computed: float) -> list[Doubt]:
    if abs(scanner / computed - 1) <= PHILIPS_FACTOR_TOLERANCE:
        return []
    message = (
        f"The scanner's SUV factor {scanner:g} (7053,xx00) is more than "
        f"{PHILIPS_FACTOR_TOLERANCE:.0%} from {computed:.6g}, computed from weight, activity "
        "and times."
    )
    return [("scale-factors-disputed", message)]


# ---------------------------------------------------------------------- from injection to image


@dataclass(frozen=True, slots=True, kw_only=True)
class _Timing:
    """Seconds from injection to what the values refer to: one, or one for each slice."""

    elapsed: tuple[float, ...]
    reference: datetime | None
    injection: datetime | None
    witnesses: tuple[Witness, ...]
    flags: tuple[str, ...] = ()
    adaptations: tuple[str, ...] = ()
    doubts: tuple[Doubt, ...] = ()


def _timing(
    headers: Sequence[PetHeader], item: Radiopharmaceutical, half_life: float, policy: Policy
) -> _Timing:
    header = headers[0]
    if header.decay_correction == "ADMIN":
        # The values refer to the injection: activity as injected, and no time is needed.
        recorded = item.start_datetime.local if item.start_datetime else None
        return _Timing(
            elapsed=(0.0,),
            reference=recorded,
            injection=recorded,
            witnesses=_idle(headers, half_life, "the values refer to the injection"),
        )
    if header.decay_correction == "NONE":
        return _uncorrected(headers, item, half_life)
    reference = REFERENCE[policy](headers, half_life=half_life)
    if reference.instant is None:
        code, message = reference.refusal or ("reference-time-missing", "No reference instant.")
        raise SuvRefused(code, message, reference.witnesses)
    instant, witnesses = reference.instant, reference.witnesses
    elapsed, notes, doubts = _since(headers, item, instant, half_life, witnesses)
    return _Timing(
        elapsed=(elapsed,),
        reference=reference.instant,
        injection=reference.instant - timedelta(seconds=elapsed),
        witnesses=reference.witnesses,
        flags=reference.flags + clock_flags(item),
        adaptations=(*reference.adaptations, *notes),
        doubts=((reference.doubt,) if reference.doubt else ()) + doubts,
    )


def _since(
    headers: Sequence[PetHeader],
    item: Radiopharmaceutical,
    instant: datetime,
    half_life: float,
    witnesses: tuple[Witness, ...],
) -> tuple[float, tuple[str, ...], tuple[Doubt, ...]]:
    header = headers[0]
    try:
        elapsed, notes = seconds_since_injection(header, item, instant, half_life)
        doubt = doubt_about_uptake(header, elapsed, half_life)
    except SuvRefused as refused:
        raise SuvRefused(refused.code, refused.message, witnesses) from refused
    notes = (*notes, *began_before(header, elapsed))
    return elapsed, notes, (doubt,) if doubt else ()


def _uncorrected(
    headers: Sequence[PetHeader], item: Radiopharmaceutical, half_life: float
) -> _Timing:
    """Each slice refers to its own average time: acquisition start plus T_ave (IBSI-SUV)."""
    witnesses = testimony(headers, half_life)
    if any(h.acquisition_date is None or h.acquisition_time is None for h in headers):
        message = "Acquisition Date (0008,0022) or Time (0008,0032) is missing on a slice."
        raise SuvRefused("acquisition-time-missing", message, witnesses)
    durations = [one for one in map(frame_duration, headers) if one is not None]
    if len(durations) < len(headers):
        message = "Actual Frame Duration (0018,1242) must be positive on every slice."
        raise SuvRefused("frame-duration-missing", message, witnesses)
    starts = [_start(one) for one in headers]
    first = min(starts)
    elapsed, notes, doubts = _since(headers, item, first, half_life, witnesses)
    after = (elapsed + (start - first).total_seconds() for start in starts)
    inside = (average_time(duration, half_life) for duration in durations)
    return _Timing(
        elapsed=tuple(map(add, after, inside)),
        reference=None,
        injection=first - timedelta(seconds=elapsed),
        witnesses=_idle(headers, half_life, "each slice refers to its own average time"),
        flags=clock_flags(item),
        adaptations=notes,
        doubts=_stillness(headers) + doubts,
    )


def _stillness(headers: Sequence[PetHeader]) -> tuple[Doubt, ...]:
    if not may_stand_still(headers):
        return ()
    message = (
        "Acquisition Time (0008,0032) stands still, or may, while the frames move on by Frame "
        "Reference Time (0054,1300): when each slice was acquired it does not say."
    )
    return (("acquisition-time-still", message),)


def _start(header: PetHeader) -> datetime:
    return datetime.combine(header.acquisition_date or date.min, header.acquisition_time or time())
